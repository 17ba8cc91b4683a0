-- What could not be read or laid over the source was not judged: it counts for neither class.
UPDATE trials SET outcome = 'inconclusive' WHERE reason IN ('malformed', 'does_not_apply');
