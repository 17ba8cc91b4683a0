-- One decision. KEYS[1]: the bucket. ARGV: microseconds for one token, for a full bucket, for this request.
-- The value is the moment at which the bucket is full again. Returns the room that is left in microseconds, or how
-- many are missing as a negative number.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full = tonumber(ARGV[2])
local cost = tonumber(ARGV[3])
local moment = tonumber(redis.call('GET', KEYS[1])) or now
if moment < now then
  moment = now
elseif moment > now + full then
  -- The server's clock was set back: the bucket is empty, and refills from here on.
  moment = now + full
end
moment = moment + cost
local room = now + full - moment
if room >= 0 and cost > 0 then
  -- %.0f, for Lua would shorten the number to fourteen digits; rounded up, for an expiry of 0 deletes the bucket.
  redis.call('SET', KEYS[1], string.format('%.0f', moment), 'PX', math.ceil((moment - now) / 1000))
end
return room
