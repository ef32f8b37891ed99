/* Writing JSON the way a person reads it: short doubles that read back exactly, lists of plain
 * values on one line. Jansson itself escapes the strings. */
#include "base/json.h"

#include <inttypes.h>

struct writer {
    struct text *text;
    int indent;
    bool refused; /* a string that is no UTF-8 */
};

static int append_bytes(const char *bytes, size_t count, void *context)
{
    text_append_bytes(context, bytes, count);
    return 0;
}

static void write_string(struct writer *writer, const json_t *value)
{
    if (json_dump_callback(value, append_bytes, writer->text, JSON_ENCODE_ANY) != 0)
        writer->refused = true;
}

static void break_line(struct writer *writer, int level)
{
    if (writer->indent > 0)
        text_printf(writer->text, "\n%*s", level * writer->indent, "");
}

static bool is_plain_list(const json_t *list)
{
    size_t index;
    json_t *item;
    json_array_foreach(list, index, item)
    {
        if (json_is_object(item) || json_is_array(item))
            return false;
    }
    return true;
}

static void write_value(struct writer *writer, const json_t *value, int level);

static void write_list(struct writer *writer, const json_t *list, int level)
{
    bool one_line = is_plain_list(list);
    size_t count = json_array_size(list);
    text_append(writer->text, "[");
    for (size_t index = 0; index < count; index++) {
        if (!one_line)
            break_line(writer, level + 1);
        write_value(writer, json_array_get(list, index), level + 1);
        if (index + 1 < count)
            text_append(writer->text, one_line ? ", " : ",");
    }
    if (!one_line)
        break_line(writer, level);
    text_append(writer->text, "]");
}

static void write_object(struct writer *writer, const json_t *object, int level)
{
    size_t left = json_object_size(object);
    text_append(writer->text, "{");
    if (left == 0) {
        text_append(writer->text, "}");
        return;
    }
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)(uintptr_t)object, key, item)
    {
        break_line(writer, level + 1);
        json_t *name = json_string(key);
        if (name == NULL)
            writer->text->failed = true;
        else
            write_string(writer, name);
        json_decref(name);
        text_append(writer->text, ": ");
        write_value(writer, item, level + 1);
        if (--left > 0)
            text_append(writer->text, writer->indent > 0 ? "," : ", ");
    }
    break_line(writer, level);
    text_append(writer->text, "}");
}

static void write_value(struct writer *writer, const json_t *value, int level)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        write_object(writer, value, level);
        break;
    case JSON_ARRAY:
        write_list(writer, value, level);
        break;
    case JSON_STRING:
        write_string(writer, value);
        break;
    case JSON_INTEGER:
        text_printf(writer->text, "%" PRId64, (int64_t)json_integer_value(value));
        break;
    case JSON_REAL:
        text_append_real(writer->text, json_real_value(value));
        break;
    case JSON_TRUE:
        text_append(writer->text, "true");
        break;
    case JSON_FALSE:
        text_append(writer->text, "false");
        break;
    case JSON_NULL:
        text_append(writer->text, "null");
        break;
    }
}

int json_text_dump(struct text *text, const json_t *value, int indent, struct error *error)
{
    struct writer writer = {.text = text, .indent = indent};
    write_value(&writer, value, 0);
    if (text->failed)
        return error_set(error, ERROR_MEMORY, "no memory to write JSON");
    if (writer.refused)
        return error_set(error, ERROR_FAILED, "a text that is not UTF-8 cannot be written as JSON");
    return 0;
}
