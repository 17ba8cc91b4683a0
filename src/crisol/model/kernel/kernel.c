/* The serving form's kernel: a patch to its features, and features to the score of an ensemble of trees.

   It computes what crisol/model/{reading,features,edits,classic}.py compute, bit for bit, for ASCII text; those
   modules are the reference, and tests/test_model_kernel.py holds the two against each other. What each feature means
   stands there. The vocabularies come from crisol/model/vocabulary.py when the library is opened.

   Diffs are hostile. Nothing here recurses, the work is linear in the text, memory is at most 100 bytes for each of its
   bytes, and a text that is not what its shape says, or whose words collide, is given up: Python reads it instead.
   Nothing is shared between calls but what crisol_open() made, which no call changes, so that threads need no lock. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef CRISOL_SOURCE
#define CRISOL_SOURCE "unknown"
#endif

#define EXPORT __attribute__((visibility("default")))

/* The source that this library was built of: who loads it refuses another. */
EXPORT const char crisol_source[] = CRISOL_SOURCE;

enum { MAX_TEXT = 1 << 20, MAX_NAME = 80, MAX_PARTS = MAX_NAME + 1, MAX_PREFIXES = 32, GUARD_REACH = 30, FAMILIES = 12 };

/* The sets of words, in the order of SETS in library.py. The first group is looked for in names and their parts. */
enum set {
    VALIDATION, CLASSIC_VALIDATION, SINKS, BOUNDS, FILTERS, PREFIXES, CASES, REMEDIES,
    BRANCHES = REMEDIES + FAMILIES, LOOPS, EXITS, TESTS, LEAVES, HANDLERS, RAISES, CATCHES, LOGIC, ANDS, NEGATIONS,
    COMPARISONS, ORDERINGS, ARITHMETIC, OPERATORS, REGEX_MARKS, NOTHING, BOOLEANS, CONSTANTS, AFTER_CONSTANT, EMPTY,
    BROAD, PASS, RETURN, COMMENT_PREFIXES, IMPORT_PREFIXES, SETS
};

#define IN(set) ((uint64_t)1 << (set))
#define MEANT (IN(BRANCHES) - 1)

/* Characters */

enum { SPACE = 1, LETTER = 2, DIGIT = 4, UPPER = 8, LOWER = 16, PAIRED = 32, PREFIX = 64, WORD = LETTER | DIGIT };

static uint8_t kind_of(int c)
{
    if (c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f))
        return SPACE;  /* what str.strip() takes away, too */
    if (c >= 'A' && c <= 'Z')
        return LETTER | UPPER;
    if (c >= 'a' && c <= 'z')
        return LETTER | LOWER;
    if (c >= '0' && c <= '9')
        return DIGIT;
    if (c == '_')
        return LETTER;  /* begins a name */
    if (c == '=' || c == '!' || c == '<' || c == '>')
        return PAIRED;  /* begins a token with the = that follow */
    return 0;
}

/* Words that mean something */

struct word {
    const char *text;
    uint32_t size, hash;
    uint64_t sets;
};

struct prefix {
    const char *text;
    uint32_t size;
    int comment;
};

struct kernel {
    uint8_t kind[256];       /* PREFIX where a comment or an import may begin */
    uint64_t sizes[256];     /* by its first character, how long a word may be: most texts need not be looked up */
    struct word *words;  /* open addressing, a power of two of places, at most a quarter of them taken */
    uint32_t mask;
    struct prefix prefixes[MAX_PREFIXES];
    size_t prefix_count;
};

/* FNV-1a: cheap for short words. Whoever makes words collide runs into the limit of struct table. */
#define HASH_START 2166136261u
#define HASHED(hash, c) (((hash) ^ (uint8_t)(c)) * 16777619u)

static uint32_t hash_of(const char *text, size_t size)
{
    uint32_t hash = HASH_START;
    for (size_t i = 0; i < size; i++)
        hash = HASHED(hash, text[i]);
    return hash;
}

static uint32_t place_of(uint32_t hash)
{
    return hash ^ hash >> 15;
}

static uint64_t size_bit(uint32_t size)
{
    return (uint64_t)1 << (size < 63 ? size : 63);
}

/* Whether a text may be a word, by its first character and its size. */
static int may_mean(const struct kernel *kernel, const char *text, uint32_t size)
{
    return size > 0 && (kernel->sizes[(uint8_t)*text] & size_bit(size)) != 0;
}

static struct word *look_up(const struct kernel *kernel, const char *text, uint32_t size, uint32_t hash)
{
    for (uint32_t at = place_of(hash) & kernel->mask;; at = (at + 1) & kernel->mask) {
        struct word *word = &kernel->words[at];
        if (word->text == NULL || (word->hash == hash && word->size == size && memcmp(word->text, text, size) == 0))
            return word;
    }
}

/* Returns the vocabulary, or NULL where memory is short, a set is unknown or prefixes are too many. It is kept as long
   as the process lives: `texts` holds `count` words one after the other, `sizes` how long each is, `sets` in which sets it is. */
EXPORT struct kernel *crisol_open(const char *texts, const uint32_t *sizes, const uint64_t *sets, uint32_t count)
{
    const uint64_t prefix = IN(COMMENT_PREFIXES) | IN(IMPORT_PREFIXES);
    size_t total = 0, prefixes = 0;
    uint32_t places = 64;
    for (uint32_t i = 0; i < count; i++) {
        prefixes += (sets[i] & prefix) != 0;
        total += sizes[i];
        if (sets[i] >> SETS || prefixes > MAX_PREFIXES)
            return NULL;
    }
    while (places < 4 * count)
        places *= 2;
    struct kernel *kernel = calloc(1, sizeof *kernel);
    char *kept = malloc(total + 1);
    struct word *words = calloc(places, sizeof *words);
    if (kernel == NULL || kept == NULL || words == NULL) {
        free(kernel), free(kept), free(words);
        return NULL;
    }
    memcpy(kept, texts, total);
    for (int c = 0; c < 256; c++)
        kernel->kind[c] = kind_of(c);
    kernel->words = words;
    kernel->mask = places - 1;
    for (uint32_t i = 0; i < count; kept += sizes[i++]) {
        uint32_t hash = hash_of(kept, sizes[i]);
        *look_up(kernel, kept, sizes[i], hash) = (struct word){kept, sizes[i], hash, sets[i]};
        kernel->sizes[(uint8_t)*kept] |= size_bit(sizes[i]);
        if (sets[i] & prefix) {
            kernel->kind[(uint8_t)*kept] |= PREFIX;
            kernel->prefixes[kernel->prefix_count++] =
                (struct prefix){kept, sizes[i], (sets[i] & IN(COMMENT_PREFIXES)) != 0};
        }
    }
    return kernel;
}

/* A reading: what can be counted in a patch in one pass */

enum { ADDED, REMOVED, SIDES };

/* A different token, or a token's form in lower case. */
struct entry {
    const char *text;
    uint32_t size, hash;
    uint32_t lower;          /* the entry of its form in lower case, itself where it has no capitals */
    uint32_t count[SIDES];   /* how often it occurs as it stands */
    uint32_t words[SIDES];   /* how often it is the form in lower case of a token */
    uint64_t sets;           /* of which sets the form in lower case is part */
    uint8_t called[SIDES];   /* whether it stands before an opening parenthesis */
    uint8_t context;         /* whether a context line shows it */
};

struct table {
    struct entry *entries;
    uint32_t *places;  /* index + 1 of the entry there, 0 where there is none */
    uint32_t single[256];  /* the same by character, for tokens of a single one, which are half of all */
    uint32_t count, capacity, mask;
    uint64_t steps, allowed;  /* past taken places: an honest text takes less than one for each lookup */
};

struct side {
    int64_t lines, blank, comments, imports, characters, indent, size, distinct, numbers, names, calls, guards,
        constant, broad, nothing, passes, calls_only, gained, gained_names, gained_numbers, gained_operators;
    int64_t tokens_in[SETS];      /* tokens, in whatever case, that are of a set */
    int64_t parts_in[BRANCHES];   /* words of a set that are a name or a part of it */
    int64_t single[128];          /* tokens that are this character */
    uint32_t *tokens;             /* entries, in order */
};

struct reading {
    const struct kernel *kernel;
    const char *text;
    char *lower;
    size_t text_size;
    struct table table;
    struct side side[SIDES];
    int64_t files, hunks, tests, created, cwe, family, context_lines, insertions, deletions, spots, fresh, known,
        calls_known, same, calls_sink;
};

static int grow(struct table *table)
{
    uint32_t capacity = table->capacity ? 2 * table->capacity : 256, places = 4 * capacity;
    struct entry *entries = realloc(table->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return 0;
    table->entries = entries;
    free(table->places);
    table->places = calloc(places, sizeof *table->places);
    if (table->places == NULL)
        return 0;
    table->capacity = capacity;
    table->mask = places - 1;
    for (uint32_t i = 0; i < table->count; i++) {
        uint32_t at = place_of(entries[i].hash) & table->mask;
        while (table->places[at] != 0) {
            if (++table->steps > table->allowed)
                return 0;
            at = (at + 1) & table->mask;
        }
        table->places[at] = i + 1;
    }
    return 1;
}

/* Returns the entry of a token, a new one where it has none, or -1 where it must be given up. */
static int64_t intern(struct table *table, const char *text, uint32_t size, uint32_t hash)
{
    if (table->count == table->capacity && !grow(table))
        return -1;
    uint32_t at = place_of(hash) & table->mask;
    while (table->places[at] != 0) {
        const struct entry *entry = &table->entries[table->places[at] - 1];
        if (entry->hash == hash && entry->size == size && memcmp(entry->text, text, size) == 0)
            return table->places[at] - 1;
        table->steps += 1 + size / 64;
        if (table->steps > table->allowed)
            return -1;
        at = (at + 1) & table->mask;
    }
    table->entries[table->count] = (struct entry){.text = text, .size = size, .hash = hash};
    table->places[at] = ++table->count;
    return table->count - 1;
}

/* Returns the entry of the token that starts at `*at`, moves past it; -1 where it must be given up. */
static int64_t next_token(struct reading *reading, const char **at, const char *end)
{
    const uint8_t *kind = reading->kernel->kind;
    const char *start = *at, *stop = start + 1;
    uint32_t hash = HASHED(HASH_START, *start);
    if (kind[(uint8_t)*start] & WORD) {
        for (; stop < end && kind[(uint8_t)*stop] & WORD; stop++)
            hash = HASHED(hash, *stop);
    } else if (kind[(uint8_t)*start] & PAIRED) {
        for (; stop < end && *stop == '='; stop++)
            hash = HASHED(hash, *stop);
    } else if (stop < end) {
        char c = *start, d = *stop;
        if ((c == '&' && d == '&') || (c == '|' && d == '|') || (c == '-' && d == '>') || (c == ':' && d == ':'))
            hash = HASHED(hash, *stop++);
    }
    *at = stop;
    if (stop - start > 1)
        return intern(&reading->table, start, (uint32_t)(stop - start), hash);
    uint32_t *known = &reading->table.single[(uint8_t)*start];
    if (*known == 0)
        *known = (uint32_t)(intern(&reading->table, start, 1, hash) + 1);
    return (int64_t)*known - 1;
}

static int starts_with(const char *text, const char *end, const struct prefix *prefix)
{
    return (size_t)(end - text) >= prefix->size && memcmp(text, prefix->text, prefix->size) == 0;
}

/* Reads an added or removed line, without its tag. Comments and blank lines are only counted. */
static int read_code(struct reading *reading, int number, const char *line, const char *end)
{
    const struct kernel *kernel = reading->kernel;
    struct side *side = &reading->side[number];
    const char *at = line;
    side->lines++;
    while (at < end && kernel->kind[(uint8_t)*at] & SPACE)
        at++;
    while (end > at && kernel->kind[(uint8_t)end[-1]] & SPACE)
        end--;
    if (at == end) {
        side->blank++;
        return 1;
    }
    int import = 0;
    for (size_t i = 0; kernel->kind[(uint8_t)*at] & PREFIX && i < kernel->prefix_count; i++)
        if (starts_with(at, end, &kernel->prefixes[i])) {
            if (kernel->prefixes[i].comment) {
                side->comments++;
                return 1;
            }
            import = 1;
        }
    side->imports += import;
    side->characters += end - at;
    if (at - line > side->indent)
        side->indent = at - line;
    while (at < end) {
        if (kernel->kind[(uint8_t)*at] & SPACE) {
            at++;
            continue;
        }
        int64_t token = next_token(reading, &at, end);
        if (token < 0)
            return 0;
        reading->table.entries[token].count[number]++;
        side->tokens[side->size++] = (uint32_t)token;
    }
    return 1;
}

static int read_context(struct reading *reading, const char *at, const char *end)
{
    reading->context_lines++;
    while (at < end) {
        if (!(reading->kernel->kind[(uint8_t)*at] & WORD)) {
            at++;
            continue;
        }
        int64_t token = next_token(reading, &at, end);
        if (token < 0)
            return 0;
        reading->table.entries[token].context = 1;
    }
    return 1;
}

/* Reads all hunks; `lines` says how many lines each has. Returns 0 where the text is not of that shape. */
static int read_hunks(struct reading *reading, const int32_t *lines, uint32_t hunks)
{
    const char *at = reading->text, *stop = at + reading->text_size;
    int first = 1;
    for (uint32_t i = 0; i < hunks; i++) {
        int64_t added = reading->side[ADDED].lines, removed = reading->side[REMOVED].lines;
        int inside = 0;
        for (int32_t left = lines[i]; left > 0; left--) {
            if (!first && (at == stop || *at++ != '\n'))
                return 0;
            first = 0;
            const char *end = at == stop ? NULL : memchr(at, '\n', (size_t)(stop - at));
            if (end == NULL)
                end = stop;
            if (at == end)
                return 0;
            int number = *at == '+' ? ADDED : REMOVED;
            if (*at == ' ') {
                inside = 0;
                if (!read_context(reading, at, end))
                    return 0;
            } else {
                reading->spots += !inside;
                inside = 1;
                if (!read_code(reading, number, at + 1, end))
                    return 0;
            }
            at = end;
        }
        reading->insertions += reading->side[REMOVED].lines == removed;
        reading->deletions += reading->side[ADDED].lines == added;
    }
    return at == stop;
}

/* From tokens to counts */

static int is_name(const struct kernel *kernel, const struct entry *entry)
{
    return (kernel->kind[(uint8_t)entry->text[0]] & LETTER) != 0;
}

static uint64_t sets_of(const struct kernel *kernel, const struct entry *entry)
{
    if (!may_mean(kernel, entry->text, entry->size))
        return 0;
    return look_up(kernel, entry->text, entry->size, entry->hash)->sets;
}

/* Gives every token of a side its form in lower case, and that form its sets. */
static int fold_case(struct reading *reading)
{
    struct table *table = &reading->table;
    for (size_t i = 0; i < reading->text_size; i++) {
        const uint8_t c = (uint8_t)reading->text[i];
        reading->lower[i] = (char)(c + ((uint8_t)(c - 'A') < 26) * ('a' - 'A'));
    }
    for (uint32_t i = 0, count = table->count; i < count; i++) {
        const struct entry *entry = &table->entries[i];
        const char *lower = reading->lower + (entry->text - reading->text);
        int64_t found = i;
        if (entry->count[ADDED] + entry->count[REMOVED] == 0)
            continue;
        if (memcmp(entry->text, lower, entry->size) != 0)
            found = intern(table, lower, entry->size, hash_of(lower, entry->size));
        if (found < 0)
            return 0;
        struct entry *form = &table->entries[found], *token = &table->entries[i];
        token->lower = (uint32_t)found;
        form->lower = (uint32_t)found;
        if (form->words[ADDED] + form->words[REMOVED] == 0)
            form->sets = sets_of(reading->kernel, form);
        for (int side = 0; side < SIDES; side++)
            form->words[side] += token->count[side];
    }
    return 1;
}

/* Returns how long the part is with which a name goes on: XMLParser2_ok has XML, Parser2 and ok; 0 where none does. */
static size_t part_size(const uint8_t *kind, const char *text, size_t size)
{
    size_t capitals = 0, rest;
    while (capitals < size && kind[(uint8_t)text[capitals]] & UPPER)
        capitals++;
    int small_follows = capitals < size && kind[(uint8_t)text[capitals]] & LOWER;
    if (capitals > 1 || (capitals == 1 && !small_follows))
        return capitals - (size_t)small_follows;
    for (rest = capitals; rest < size && kind[(uint8_t)text[rest]] & (LOWER | DIGIT); rest++)
        continue;
    return rest;
}

/* Adds the word that a text is, if it means something and is not among the `count` found before. */
static size_t add_meant(
    const struct kernel *kernel, const char *text, size_t size, const struct word **found, size_t count)
{
    if (count == MAX_PARTS || !may_mean(kernel, text, (uint32_t)size))
        return count;
    const struct word *word = look_up(kernel, text, (uint32_t)size, hash_of(text, size));
    if (!(word->sets & MEANT))
        return count;
    for (size_t i = 0; i < count; i++)
        if (found[i] == word)
            return count;
    found[count] = word;
    return count + 1;
}

/* Counts the words that a different name means, whole and by its parts, each of them once. */
static void count_parts(struct reading *reading, const struct entry *entry)
{
    const struct kernel *kernel = reading->kernel;
    const struct word *found[MAX_PARTS];
    const char *lower = reading->table.entries[entry->lower].text;
    const size_t size = entry->size < MAX_NAME ? entry->size : MAX_NAME;
    size_t count = add_meant(kernel, lower, size, found, 0);
    for (size_t at = 0, part; at < size; at += part ? part : 1) {
        part = part_size(kernel->kind, entry->text + at, size - at);
        if (part > 0 && part < size)
            count = add_meant(kernel, lower + at, part, found, count);
    }
    for (size_t i = 0; i < count; i++)
        for (int set = 0; set < BRANCHES; set++)
            if (found[i]->sets & IN(set))
                for (int side = 0; side < SIDES; side++)
                    reading->side[side].parts_in[set] += entry->count[side];
}

/* Counts what a token's form in lower case brings to one side beyond the other, by kind. */
static void count_gain(const struct kernel *kernel, struct side *side, const struct entry *form, int64_t more)
{
    if (more <= 0)
        return;
    side->gained += more;
    if (form->sets & IN(OPERATORS))
        side->gained_operators += more;
    if (kernel->kind[(uint8_t)form->text[0]] & DIGIT)
        side->gained_numbers += more;
    else if (form->size > 1 && is_name(kernel, form))
        side->gained_names += more;
}

/* Counts everything that does not depend on the order of tokens. */
static void count_entries(struct reading *reading)
{
    const struct kernel *kernel = reading->kernel;
    struct side *added = &reading->side[ADDED], *removed = &reading->side[REMOVED];
    reading->same = 1;
    for (uint32_t i = 0; i < reading->table.count; i++) {
        const struct entry *entry = &reading->table.entries[i];
        const int name = is_name(kernel, entry) && entry->size > 1;
        const int64_t beyond = (int64_t)entry->words[ADDED] - entry->words[REMOVED];
        const int keyword = entry->lower == i && entry->sets & (IN(BRANCHES) | IN(LOOPS));
        count_gain(kernel, added, entry, beyond);
        count_gain(kernel, removed, entry, -beyond);
        reading->same &= entry->count[ADDED] == entry->count[REMOVED];
        if (name && entry->count[ADDED] > 0) {
            reading->fresh += entry->count[REMOVED] == 0 && !entry->context;
            reading->known += entry->context;
        }
        if (!keyword) {
            added->calls_only += entry->called[ADDED] && !entry->called[REMOVED];
            removed->calls_only += entry->called[REMOVED] && !entry->called[ADDED];
            reading->calls_known += entry->called[ADDED] && entry->context;
        }
        if (name && entry->count[ADDED] + entry->count[REMOVED] > 0)
            count_parts(reading, entry);
        for (int number = 0; number < SIDES; number++) {
            struct side *side = &reading->side[number];
            const int64_t count = entry->count[number];
            side->distinct += count > 0;
            side->names += name && count > 0;
            if (kernel->kind[(uint8_t)entry->text[0]] & DIGIT)
                side->numbers += count;
            if (entry->size == 1)
                side->single[entry->text[0] & 127] += count;
            if (entry->sets & IN(PASS))
                side->passes += count;
            if (entry->words[number] > 0)
                for (uint64_t set = BRANCHES, sets = entry->sets >> set; sets; set++, sets >>= 1)
                    if (sets & 1)
                        side->tokens_in[set] += entry->words[number];
        }
    }
}

/* Counts what depends on what follows what: calls, conditions, handlers and returns. */
static void count_marks(struct reading *reading, int number)
{
    struct side *side = &reading->side[number];
    struct entry *entries = reading->table.entries;
    const int64_t size = side->size;
    int64_t leaves_at = size + GUARD_REACH;
    for (int64_t at = size - 1; at >= 0; at--) {
        const struct entry *token = &entries[side->tokens[at]];
        /* Keywords are told in the case that languages write them in. */
        const uint64_t sets = token->lower == side->tokens[at] ? token->sets : 0;
        if (token->text[0] == '(' && at > 0) {
            struct entry *called = &entries[side->tokens[at - 1]];
            if (is_name(reading->kernel, called)) {
                side->calls++;
                called->called[number] = 1;
                reading->calls_sink |= (entries[called->lower].sets & IN(SINKS)) != 0;
            }
        }
        if (!(sets & (IN(TESTS) | IN(LEAVES) | IN(HANDLERS))))
            continue;
        uint64_t next[3] = {0, 0, 0};  /* sets of the tokens that follow */
        for (int64_t i = 0; i < 3 && at + 1 + i < size; i++)
            next[i] = entries[entries[side->tokens[at + 1 + i]].lower].sets;
        const int bracket = at + 1 < size && entries[side->tokens[at + 1]].text[0] == '(';
        if (sets & IN(LEAVES))
            leaves_at = at;
        else if (sets & IN(TESTS))
            side->guards += leaves_at - at < GUARD_REACH;
        if (sets & IN(TESTS))
            side->constant += next[bracket] & IN(CONSTANTS) && next[bracket + 1] & IN(AFTER_CONSTANT);
        if (sets & IN(HANDLERS))
            side->broad += (next[bracket] & IN(BROAD)) != 0;
        if (sets & IN(RETURN))
            side->nothing += (next[0] & IN(EMPTY)) != 0;
    }
}

/* Features: their names and order are those of FEATURES in features.py; those of the families of weakness follow */

static double share(double part, double whole)
{
    return whole != 0 ? part / whole : 0.0;
}

static int64_t lesser(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

static int64_t remedy(const struct reading *reading, const struct side *side)
{
    return reading->family < 0 ? 0 : side->parts_in[REMEDIES + reading->family];
}

/* With a the added side, d the removed one, r the reading. */
#define NET(counter) (a->counter - d->counter)
#define KEPT (d->size - d->gained)

#define FEATURES(F) \
    F(lines_added, a->lines) F(lines_removed, d->lines) F(files, r->files) F(hunks, r->hunks) \
    F(net_change, NET(lines)) F(adds_validation, a->parts_in[CLASSIC_VALIDATION] > 0) \
    F(adds_exception_handling, a->tokens_in[CATCHES] > 0) F(touches_security_call, r->calls_sink) \
    F(cwe, r->cwe) \
    F(context_lines, r->context_lines) F(spots, r->spots) F(pure_insertions, share(r->insertions, r->hunks)) \
    F(pure_deletions, share(r->deletions, r->hunks)) F(tokens_added, log1p(a->size)) \
    F(tokens_removed, log1p(d->size)) F(tokens_net, NET(size)) F(tokens_kept, share(KEPT, d->size)) \
    F(line_length, share(a->characters, a->lines)) F(indent_added, a->indent) F(indent_net, NET(indent)) \
    F(comments_added, a->comments) F(comments_net, NET(comments)) F(blank_added, a->blank) \
    F(test_files, r->tests) F(created_files, r->created) \
    F(branches_added, a->tokens_in[BRANCHES]) F(branches_net, NET(tokens_in[BRANCHES])) \
    F(loops_net, NET(tokens_in[LOOPS])) F(exits_added, a->tokens_in[EXITS]) \
    F(exits_net, NET(tokens_in[EXITS])) F(raises_net, NET(tokens_in[RAISES])) \
    F(catches_net, NET(tokens_in[CATCHES])) F(logic_net, NET(tokens_in[LOGIC])) \
    F(ands_net, NET(tokens_in[ANDS])) F(negations_net, NET(tokens_in[NEGATIONS])) \
    F(comparisons_net, NET(tokens_in[COMPARISONS])) F(inequalities_net, NET(tokens_in[ORDERINGS])) \
    F(nothing_net, NET(tokens_in[NOTHING])) F(pass_added, a->passes) \
    F(returns_constant, a->tokens_in[BOOLEANS]) \
    F(calls_added, a->calls) F(calls_net, NET(calls)) F(names_fresh, r->fresh) \
    F(names_fresh_share, share(r->fresh, a->distinct)) F(imports_added, a->imports) \
    F(numbers_added, a->numbers) F(numbers_net, NET(numbers)) \
    F(quotes_net, NET(single['"']) + NET(single['\''])) F(slices_net, NET(single['['])) \
    F(assignments_net, NET(single['='])) F(arguments_net, NET(single[','])) \
    F(regex_marks_net, NET(tokens_in[REGEX_MARKS])) \
    F(tokens_gained, a->gained) F(tokens_lost, d->gained) F(similarity, share(2 * KEPT, a->size + d->size)) \
    F(reordered, d->size > 0 && r->same) F(only_adds, a->size > 0 && d->size == 0) \
    F(only_removes, d->size > 0 && a->size == 0) F(names_swapped, lesser(a->gained_names, d->gained_names)) \
    F(numbers_swapped, lesser(a->gained_numbers, d->gained_numbers)) \
    F(operators_swapped, lesser(a->gained_operators, d->gained_operators)) \
    F(arithmetic_net, NET(tokens_in[ARITHMETIC])) F(names_known, share(r->known, a->names)) \
    F(guards_added, a->guards) F(guards_net, NET(guards)) F(constant_tests, a->constant) \
    F(broad_catches, a->broad) F(returns_nothing, a->nothing) F(calls_gained, a->calls_only) \
    F(calls_lost, d->calls_only) F(calls_known, r->calls_known) \
    F(lines_a_hunk, share(a->lines + d->lines, r->hunks)) \
    F(validation_added, a->parts_in[VALIDATION]) F(validation_net, NET(parts_in[VALIDATION])) \
    F(sinks_added, a->parts_in[SINKS]) F(sinks_net, NET(parts_in[SINKS])) \
    F(bounds_net, NET(parts_in[BOUNDS])) F(replace_added, a->parts_in[FILTERS]) \
    F(prefix_added, a->parts_in[PREFIXES]) F(lower_added, a->parts_in[CASES]) F(remedy_added, remedy(r, a)) \
    F(remedy_net, remedy(r, a) - remedy(r, d)) F(remedy_missing, r->family >= 0 && remedy(r, a) == 0)

#define NAME(name, value) #name " "
#define ONE(name, value) +1
enum { COLUMNS = FEATURES(ONE) + FAMILIES };

/* The names of the features before those of the families, and the number of all of them: who loads the library
   compares, and gives rows of that size. */
EXPORT const char crisol_names[] = FEATURES(NAME);
EXPORT const int32_t crisol_columns = COLUMNS;

static void write_row(const struct reading *r, double *row)
{
    const struct side *a = &r->side[ADDED], *d = &r->side[REMOVED];
#define WRITE(name, value) *row++ = (double)(value);
    FEATURES(WRITE)
    for (int64_t family = 0; family < FAMILIES; family++)
        *row++ = r->family == family;
}

/* Where the numbers of a patch stand that its lines do not tell; how many lines each hunk has follows. */
enum { FILES, TEST_FILES, CREATED, CWE, FAMILY, HUNKS };

/* Writes the features of a patch. `text` holds the lines of all hunks with their tags, with a line feed between two
   lines. Returns how many features were written, or 0 where Python must read the patch. */
EXPORT int crisol_features(
    const struct kernel *kernel, const char *text, size_t size, const int32_t *shape, uint32_t hunks, double *row)
{
    if (size > MAX_TEXT || shape[FAMILY] >= FAMILIES)
        return 0;
    struct reading reading = {
        .kernel = kernel,
        .text = text,
        .text_size = size,
        .table = {.allowed = 8 * (uint64_t)size + 1024},
        .files = shape[FILES],
        .hunks = hunks,
        .tests = shape[TEST_FILES],
        .created = shape[CREATED],
        .cwe = shape[CWE],
        .family = shape[FAMILY],
    };
    /* A token takes a character at the least, so that no side can have more tokens than the text has characters. */
    uint32_t *tokens = malloc((2 * size + 1) * sizeof *tokens);
    reading.lower = malloc(size + 1);
    reading.side[ADDED].tokens = tokens;
    reading.side[REMOVED].tokens = tokens == NULL ? NULL : tokens + size;
    int done = tokens != NULL && reading.lower != NULL && read_hunks(&reading, shape + HUNKS, hunks) &&
               fold_case(&reading);
    if (done) {
        count_marks(&reading, ADDED);
        count_marks(&reading, REMOVED);
        count_entries(&reading);
        write_row(&reading, row);
    }
    free(tokens);
    free(reading.lower);
    free(reading.table.entries);
    free(reading.table.places);
    return done ? COLUMNS : 0;
}

/* Trees */

/* A condition on one column, or a leaf, whose column is -1. */
struct node {
    double value;
    float threshold;
    int32_t column, yes, no;
};

struct trees {
    const struct node *nodes;
    const int32_t *roots;
    uint32_t node_count, root_count;
    uint32_t columns;
    int32_t logistic;  /* whether the sum is a logarithm of odds */
};

/* Returns 1 if every walk from a root stays inside and ends: a child stands behind its parent. */
EXPORT int crisol_trees_are_sound(const struct trees *trees)
{
    for (uint32_t i = 0; i < trees->root_count; i++)
        if (trees->roots[i] < 0 || (uint32_t)trees->roots[i] >= trees->node_count)
            return 0;
    for (uint32_t i = 0; i < trees->node_count; i++) {
        const struct node *node = &trees->nodes[i];
        if (node->column < 0)
            continue;
        if ((uint32_t)node->column >= trees->columns || node->yes <= (int64_t)i || node->no <= (int64_t)i ||
            (uint32_t)node->yes >= trees->node_count || (uint32_t)node->no >= trees->node_count)
            return 0;
    }
    return 1;
}

/* Returns the probability, not yet calibrated, of a row of `columns` features; the trees must be sound. */
EXPORT double crisol_score(const struct trees *trees, const double *row)
{
    double sum = 0;
    for (uint32_t i = 0; i < trees->root_count; i++) {
        const struct node *node = &trees->nodes[trees->roots[i]];
        while (node->column >= 0)
            /* Trees are fitted on 32-bit numbers. */
            node = &trees->nodes[(float)row[node->column] <= node->threshold ? node->yes : node->no];
        sum += node->value;
    }
    return trees->logistic ? 1 / (1 + exp(-sum)) : sum;
}

/* Returns the score of a patch, given as to crisol_features(), or -1 where Python must read it. */
EXPORT double crisol_predict(
    const struct kernel *kernel, const struct trees *trees, const char *text, size_t size, const int32_t *shape,
    uint32_t hunks)
{
    double row[COLUMNS];
    if (trees->columns > COLUMNS || crisol_features(kernel, text, size, shape, hunks, row) == 0)
        return -1;
    return crisol_score(trees, row);
}
