/* Reads and makes the rows of prompts.h. */
#include "cli/prompts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "bench/tokens.h"

static const char separators[] = ", \t\r\n";
enum { ROW_MAX = 1 << 24 };

static int append_id(struct prompts *prompts, size_t index, int32_t id, struct error *error)
{
    if (index == prompts->capacity) {
        size_t capacity = prompts->capacity < 64 ? 64 : prompts->capacity, bytes = 0;
        if (!size_multiply(capacity, 2, &capacity) ||
            !size_multiply(capacity, sizeof *prompts->ids, &bytes))
            return error_set(error, ERROR_INPUT, "the prompts are too long");
        int32_t *ids = realloc(prompts->ids, bytes);
        if (ids == NULL)
            return error_set(error, ERROR_MEMORY, "no memory for %zu prompt ids", capacity);
        prompts->ids = ids;
        prompts->capacity = capacity;
    }
    prompts->ids[index] = id;
    return 0;
}

static int read_id(const char *word, size_t length, const char *place, int64_t vocabulary_size,
                   int32_t *out, struct error *error)
{
    int shown = (int)(length < 40 ? length : 40);
    if (strspn(word, "0123456789") < length)
        return error_set(error, ERROR_INPUT, "%s: '%.*s' is not a token id", place, shown, word);
    errno = 0;
    unsigned long long id = strtoull(word, NULL, 10);
    if (errno != 0 || id >= (unsigned long long)vocabulary_size)
        return error_set(error, ERROR_INPUT,
                         "%s: id %.*s is outside the model's vocabulary (0 to %" PRId64 ")", place,
                         shown, word, vocabulary_size - 1);
    *out = (int32_t)id;
    return 0;
}

int prompts_add_row(struct prompts *prompts, const char *words, const char *place,
                    int64_t vocabulary_size, struct error *error)
{
    size_t first = (size_t)(prompts->batch * prompts->length);
    int64_t length = 0;
    for (const char *at = words + strspn(words, separators); *at != '\0';) {
        size_t word = strcspn(at, separators);
        int32_t id = 0;
        int code = read_id(at, word, place, vocabulary_size, &id, error);
        if (code == 0)
            code = append_id(prompts, first + (size_t)length, id, error);
        if (code != 0)
            return code;
        length++;
        at += word + strspn(at + word, separators);
    }
    if (length == 0)
        return error_set(error, ERROR_INPUT, "%s: the prompt is empty", place);
    if (prompts->batch > 0 && length != prompts->length)
        return error_set(error, ERROR_INPUT,
                         "%s: the prompt has %" PRId64 " ids, the first one %" PRId64
                         "; prompts of a batch must be of equal length",
                         place, length, prompts->length);
    prompts->length = length;
    prompts->batch++;
    return 0;
}

static int read_lines(struct prompts *prompts, FILE *stream, const char *name,
                      int64_t vocabulary_size, struct error *error)
{
    char *line = NULL;
    size_t capacity = 0;
    int code = 0;
    for (long number = 1; code == 0 && getline(&line, &capacity, stream) >= 0; number++) {
        if (line[strspn(line, separators)] == '\0')
            continue;
        char place[512];
        (void)snprintf(place, sizeof place, "%.480s:%ld", name, number);
        code = prompts_add_row(prompts, line, place, vocabulary_size, error);
    }
    free(line);
    if (code == 0 && ferror(stream))
        code = error_set(error, ERROR_INPUT, "%s: cannot be read: %s", name, strerror(errno));
    if (code == 0 && prompts->batch == 0)
        code = error_set(error, ERROR_INPUT, "%s: holds no prompt", name);
    return code;
}

int prompts_read_file(struct prompts *prompts, const char *path, int64_t vocabulary_size,
                      struct error *error)
{
    if (strcmp(path, "-") == 0)
        return read_lines(prompts, stdin, "standard input", vocabulary_size, error);
    FILE *stream = fopen(path, "re");
    if (stream == NULL)
        return error_set(error, ERROR_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    int code = read_lines(prompts, stream, path, vocabulary_size, error);
    (void)fclose(stream);
    return code;
}

/* A number from 1 to ROW_MAX without sign or blanks; *end is what follows it. */
static int64_t read_size(const char *text, const char **end)
{
    size_t digits = strspn(text, "0123456789");
    *end = text + digits;
    if (digits == 0 || digits > 9)
        return -1;
    int64_t value = strtoll(text, NULL, 10);
    return value <= ROW_MAX ? value : -1;
}

int prompts_make_random(struct prompts *prompts, const char *shape, int64_t vocabulary_size,
                        uint64_t seed, struct error *error)
{
    const char *end = shape;
    int64_t batch = read_size(shape, &end), length = -1;
    if (*end == 'x' || *end == 'X')
        length = read_size(end + 1, &end);
    if (batch < 1 || length < 1 || *end != '\0')
        return error_set(error, ERROR_INPUT,
                         "--random-prompt: '%s' is not batch x length, for example 4x256", shape);
    size_t bytes = 0;
    if (!size_multiply((size_t)batch, (size_t)length, &bytes) ||
        !size_multiply(bytes, sizeof *prompts->ids, &bytes))
        return error_set(error, ERROR_INPUT, "--random-prompt: %s is too large", shape);
    prompts->ids = malloc(bytes);
    if (prompts->ids == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the prompts of %s", shape);
    prompts->batch = batch;
    prompts->length = length;
    prompts->capacity = (size_t)(batch * length);
    int code = tokens_fill(prompts->ids, batch, length, vocabulary_size, seed, error);
    return code == 0 ? 0 : error_prefix(error, "--random-prompt %s", shape);
}

void prompts_free(struct prompts *prompts)
{
    free(prompts->ids);
    *prompts = (struct prompts){0};
}
