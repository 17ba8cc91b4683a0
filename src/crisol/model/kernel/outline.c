/* Plain diffs, read without an object for every line: what they touch, what stands for their content, and their lines.

   crisol/diff/parser.py is the reference, tests/test_outline.py holds the two against each other. A diff is plain if git
   or diff -u wrote it of changed text files, and every line of it is ASCII. Whatever else it is (a mail, created, renamed or
   binary files, no line feed at the end, blanks that a mailer took, anything wrong with it) is given up: then Python
   reads it, and says what is wrong. So nothing that is read here was refused there, and the work is linear in the text. */

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* A text of so many bytes has neither too many lines for the parser nor too long ones. */
enum { MAX_TEXT = 50000, MAX_HUNKS = 256, MAX_FILES = 200, MAX_PATH = 1024, MAX_PART = 255 };

struct span {
    const char *at;
    int64_t size;
};

struct hunk {
    struct span lines;
    int32_t start, count;
};

struct text {
    const char *at, *end;
};

/* Writes into a place of which `room` bytes are left; less than 0 once something did not fit. */
struct out {
    char *at;
    int64_t room;
};

static void put(struct out *out, const char *content, int64_t size)
{
    out->room -= size;
    if (out->room >= 0) {
        memcpy(out->at, content, (size_t)size);
        out->at += size;
    }
}

static void put_number(struct out *out, int64_t number)
{
    char digits[24];
    put(out, digits, snprintf(digits, sizeof digits, "%lld", (long long)number));
}

#define PUT(out, literal) put(out, literal, sizeof literal - 1)

/* The line that starts at `at`, without its line feed; past the text there are only empty ones. */
static struct span line_at(const struct text *text, const char *at)
{
    if (at >= text->end)
        return (struct span){text->end, 0};
    const char *feed = memchr(at, '\n', (size_t)(text->end - at));
    return (struct span){at, (feed == NULL ? text->end : feed) - at};
}

static const char *after(struct span line)
{
    return line.at + line.size + 1;
}

static int starts(struct span line, const char *with)
{
    const size_t size = strlen(with);
    return (size_t)line.size >= size && memcmp(line.at, with, size) == 0;
}

static int is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
}

/* Whether the two lines from here on head a file. */
static int is_header(const struct text *text, struct span line)
{
    return starts(line, "--- ") && after(line) < text->end && starts(line_at(text, after(line)), "+++ ");
}

/* Takes the path out of a line of a header; size 0 where Python has to look at it. */
static struct span path_of(struct span line, char prefix)
{
    const struct span none = {line.at, 0};
    struct span path = {line.at + 4, line.size - 4};
    const char *tab = memchr(path.at, '\t', (size_t)path.size);
    if (tab != NULL)
        path.size = tab - path.at;
    while (path.size > 0 && is_blank(path.at[path.size - 1]))
        path.size--;
    if (path.size == 9 && memcmp(path.at, "/dev/null", 9) == 0)
        return none;
    if (path.size >= 2 && path.at[0] == prefix && path.at[1] == '/')
        path = (struct span){path.at + 2, path.size - 2};
    if (path.size == 0 || path.size > MAX_PATH || (path.size > 1 && path.at[1] == ':'))
        return none;
    int64_t part = 0;
    for (int64_t i = 0; i <= path.size; i++) {
        const char c = i < path.size ? path.at[i] : '/';
        if (c != '/') {
            /* As Python writes it into what it hashes, a path has neither quotes nor escapes. */
            if (c < ' ' || c > '~' || c == '"' || c == '\'' || c == '\\')
                return none;
            continue;
        }
        const char *name = path.at + part;
        const int64_t size = i - part;
        if (size == 0 || size > MAX_PART || (size <= 2 && memcmp(name, "..", (size_t)size) == 0))
            return none;
        if (size == 4 && name[0] == '.' && (name[1] | 32) == 'g' && (name[2] | 32) == 'i' && (name[3] | 32) == 't')
            return none;
        part = i + 1;
    }
    return path;
}

/* Reads up to nine digits, moves past them; -1 where there are none, or more. */
static int64_t number_at(const char **at, const char *end)
{
    int64_t number = 0;
    const char *start = *at;
    while (*at < end && **at >= '0' && **at <= '9' && *at - start < 10)
        number = 10 * number + (*(*at)++ - '0');
    return *at == start || *at - start > 9 ? -1 : number;
}

static int take(const char **at, const char *end, const char *expected)
{
    const size_t size = strlen(expected);
    if ((size_t)(end - *at) < size || memcmp(*at, expected, size) != 0)
        return 0;
    *at += size;
    return 1;
}

/* Reads START or START,COUNT. */
static int range_at(const char **at, const char *end, int64_t *start, int64_t *count)
{
    *start = number_at(at, end);
    *count = take(at, end, ",") ? number_at(at, end) : 1;
    return *start >= 0 && *count >= 0 && (*start > 0 || *count == 0);
}

/* Reads a hunk from its header on, and returns where the next line starts, or NULL. `old_end` is the last old line of
   the hunk before; `changes` is set where a line is not the same on both sides. */
static const char *hunk_at(
    const struct text *text, struct span line, struct hunk *hunk, int64_t *old_end, int *changes)
{
    const char *at = line.at, *end = line.at + line.size;
    int64_t old_start, new_start, old, new;
    if (!take(&at, end, "@@ -") || !range_at(&at, end, &old_start, &old) || !take(&at, end, " +") ||
        !range_at(&at, end, &new_start, &new) || !take(&at, end, " @@"))
        return NULL;
    const int64_t first = old ? old_start : old_start + 1, old_size = old, new_size = new;
    if (first <= *old_end)
        return NULL;
    *old_end = first + old_size - 1;
    at = after(line);
    hunk->lines.at = at;
    hunk->start = (int32_t)old_start;
    hunk->count = 0;
    while (old > 0 || new > 0) {
        if (at >= text->end)
            return NULL;
        line = line_at(text, at);
        if (line.size == 0)
            return NULL;
        const char tag = *line.at;
        if (tag != '+' && tag != '-' && tag != ' ')
            return NULL;
        old -= tag != '+';
        new -= tag != '-';
        if (old < 0 || new < 0)
            return NULL;
        hunk->count++;
        at = after(line);
    }
    if (hunk->count == 0)
        return NULL;
    hunk->lines.size = line.at + line.size - hunk->lines.at;
    *changes |= !(hunk->count == old_size && hunk->count == new_size);
    line = line_at(text, at);
    /* Text below a hunk may be lines that its header forgot: Python tells the two apart. */
    return at >= text->end || starts(line, "@@ -") || starts(line, "diff --git ") || is_header(text, line) ? at : NULL;
}

static int speaks_of_tests(struct span path)
{
    for (int64_t i = 0; i + 4 <= path.size; i++)
        if ((path.at[i] | 32) == 't' && (path.at[i + 1] | 32) == 'e' && (path.at[i + 2] | 32) == 's' &&
            (path.at[i + 3] | 32) == 't')
            return 1;
    return 0;
}

/* What is found, before how many lines each hunk has: the sizes of what was written to `identity` and to `lines`, how
   many hunks there are, then the shape of kernel.c, of which Python fills in the weakness. */
enum { IDENTITY_SIZE, LINES_SIZE, HUNK_COUNT, SHAPE, FILES = SHAPE, TEST_FILES, CREATED, CWE, FAMILY, HUNKS };

/* Reads a plain diff of `size` bytes. Writes what Patch.identity is the hash of to `identity`, at most `room` bytes, the
   lines of all hunks with a line feed between two to `lines`, at most `size`, and numbers to `found`, which has room for
   HUNKS + MAX_HUNKS of them. Returns 0 where Python has to read it. */
EXPORT int crisol_outline(
    const char *content, size_t size, char *identity, size_t room, char *lines, int32_t *found)
{
    if (size > MAX_TEXT || memchr(content, 0, size) != NULL || memchr(content, '\r', size) != NULL)
        return 0;
    const struct text text = {content, content + size};
    struct out hashed = {identity, (int64_t)room}, read = {lines, (int64_t)size};
    struct span last = {content, 0};
    struct hunk hunks[MAX_HUNKS];
    int32_t files = 0, tests = 0, count = 0;
    const char *at = content;
    PUT(&hashed, "crisol-patch-1");
    while (at < text.end) {
        struct span line = line_at(&text, at);
        if (starts(line, "diff --git ")) {
            do
                line = line_at(&text, after(line));
            while (starts(line, "index "));
            if (!is_header(&text, line))
                return 0;
        }
        if (!is_header(&text, line))
            return 0;
        const struct span below = line_at(&text, after(line));
        const struct span old = path_of(line, 'a'), path = path_of(below, 'b');
        if (old.size == 0 || old.size != path.size || memcmp(old.at, path.at, (size_t)path.size) != 0)
            return 0;
        /* In order, so that none is named twice and none has to be moved. */
        if (files > 0) {
            const int64_t both = last.size < path.size ? last.size : path.size;
            const int order = memcmp(last.at, path.at, (size_t)both);
            if (order > 0 || (order == 0 && last.size >= path.size))
                return 0;
        }
        last = path;
        at = after(below);
        const int32_t first = count;
        int64_t old_end = 0;
        int changes = 0;
        for (line = line_at(&text, at); starts(line, "@@"); line = line_at(&text, at)) {
            if (count == MAX_HUNKS)
                return 0;
            at = hunk_at(&text, line, &hunks[count], &old_end, &changes);
            if (at == NULL)
                return 0;
            count++;
        }
        if (!changes || ++files > MAX_FILES)
            return 0;
        tests += speaks_of_tests(path);
        PUT(&hashed, "('");
        put(&hashed, path.at, path.size);
        PUT(&hashed, "', '");
        put(&hashed, path.at, path.size);
        PUT(&hashed, "', ");
        put_number(&hashed, count - first);
        PUT(&hashed, ")");
        for (int32_t i = first; i < count; i++) {
            const struct hunk *hunk = &hunks[i];
            PUT(&hashed, "(");
            put_number(&hashed, hunk->start);
            PUT(&hashed, ", ");
            put_number(&hashed, hunk->count);
            PUT(&hashed, ", ");
            put_number(&hashed, hunk->lines.size);
            PUT(&hashed, ", False, False)");
            put(&hashed, hunk->lines.at, hunk->lines.size);
            if (i > 0)
                PUT(&read, "\n");
            put(&read, hunk->lines.at, hunk->lines.size);
            found[HUNKS + i] = hunk->count;
        }
    }
    if (files == 0 || hashed.room < 0 || read.room < 0)
        return 0;
    found[IDENTITY_SIZE] = (int32_t)(hashed.at - identity);
    found[LINES_SIZE] = (int32_t)(read.at - lines);
    found[HUNK_COUNT] = count;
    found[FILES] = files;
    found[TEST_FILES] = tests;
    found[CREATED] = 0;
    return 1;
}
