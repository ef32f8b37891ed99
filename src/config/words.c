/* Sets one key from the words of a command-line flag, with the checks of a file's values. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/check.h"

static const char blanks[] = " \t";

/* The whole of a word must be one decimal number: no sign games, hex or trailing letters. */
static bool read_integer(const char *word, size_t length, int64_t *out)
{
    char digits[24];
    size_t sign = length > 0 && word[0] == '-' ? 1 : 0;
    if (length == sign || length >= sizeof digits)
        return false;
    if (strspn(word + sign, "0123456789") < length - sign)
        return false;
    memcpy(digits, word, length);
    digits[length] = '\0';
    errno = 0;
    *out = strtoll(digits, NULL, 10);
    return errno == 0;
}

static int set_integer(const struct config_key *key, const char *word, size_t length, int64_t *out,
                       struct error *error)
{
    char found[64];
    (void)snprintf(found, sizeof found, "\"%.*s\"", (int)(length < 60 ? length : 60), word);
    if (!read_integer(word, length, out))
        return config_key_refuse(key, found, error);
    return config_check_number(key, (double)*out, found, error);
}

/* "1,2,4", "1, 2, 4" and "1 2 4" all give three values. */
static int set_list(struct config *config, const struct config_key *key, const char *words,
                    struct error *error)
{
    struct config_list list = {0};
    const char *at = words + strspn(words, blanks);
    do {
        size_t length = strcspn(at, ", \t");
        int64_t value = 0;
        int code = set_integer(key, at, length, &value, error);
        if (code == 0)
            code = config_list_add(&list, key, value, error);
        if (code != 0)
            return code;
        at += length + strspn(at + length, blanks);
        bool comma = *at == ',';
        if (comma)
            at += 1 + strspn(at + 1, blanks);
        if (!comma && *at == '\0')
            break;
    } while (true);
    *config_list_of(config, key) = list;
    return 0;
}

static int set_real(struct config *config, const struct config_key *key, const char *words,
                    struct error *error)
{
    char found[64];
    (void)snprintf(found, sizeof found, "\"%.60s\"", words);
    /* strtod alone would also take "nan", "inf" and hexadecimal. */
    if (words[0] == '\0' || strspn(words, "0123456789+-.eE") != strlen(words))
        return config_key_refuse(key, found, error);
    char *end;
    double value = strtod(words, &end);
    if (*end != '\0')
        return config_key_refuse(key, found, error);
    int code = config_check_number(key, value, found, error);
    if (code == 0)
        *config_real_of(config, key) = value;
    return code;
}

static int set_value(struct config *config, const struct config_key *key, const char *words,
                     struct error *error)
{
    switch (key->kind) {
    case CONFIG_LIST:
        return set_list(config, key, words, error);
    case CONFIG_INTEGER: {
        int64_t value = 0;
        int code = set_integer(key, words, strlen(words), &value, error);
        if (code == 0)
            *config_integer_of(config, key) = value;
        return code;
    }
    case CONFIG_REAL:
        return set_real(config, key, words, error);
    case CONFIG_DEVICE:
        break;
    }
    int code = config_check_device(key, words, error);
    if (code == 0)
        memcpy(config_device_of(config, key), words, strlen(words) + 1);
    return code;
}

int config_set(struct config *config, const struct config_key *key, const char *words,
               struct error *error)
{
    struct error own;
    if (error == NULL)
        error = &own;
    if (set_value(config, key, words, error) == 0)
        return 0;
    return error_prefix(error, "--%s", key->flag);
}
