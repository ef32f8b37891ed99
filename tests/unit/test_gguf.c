/* GGUF: block formats against the reference package's values, and hostile files. The whole
 * models are tests/golden's. */
#include "base/file.h"
#include "base/half.h"
#include "model/gguf.h"
#include "model/gguf_blocks.h"
#include "model/gguf_parts.h"

#include "test.h"

/* A block's parts put together again are its float32 values, to the last bit. */
static void check_parts(const struct gguf_block *block, const unsigned char *data)
{
    struct gguf_parts parts = {.scale = 0};
    float values[GGUF_BLOCK_ELEMENTS_MAX];
    bool is_super = block->elements == 256, is_q6_k = block->id == 14, is_q8_0 = block->id == 8;
    bool has_minimum = block->id == 3 || block->id == 7 || block->id == 12 || block->id == 13;
    int offset = block->id == 2 ? 8 : block->id == 6 ? 16 : is_q6_k ? 32 : 0;
    assert_true(gguf_block_has_parts(block));
    block->read(data, values);
    gguf_block_split(block, data, &parts);
    for (int i = 0; i < block->elements; i++) {
        int value = is_q8_0 ? (int8_t)parts.values[i] : parts.values[i] - offset;
        int sub_scale = is_super ? parts.sub_scales[i / (is_q6_k ? 16 : 32)] : 1;
        float made = half_to_float(parts.scale) * (float)sub_scale * (float)value;
        if (has_minimum)
            made +=
                half_to_float(parts.minimum) * (float)(is_super ? parts.sub_minimums[i / 32] : 1);
        assert_true(made == values[i]);
    }
}

static void block_formats(void **state)
{
    (void)state;
    static const uint32_t ids[] = {2, 3, 6, 7, 8, 12, 13, 14};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        const struct gguf_block *block = gguf_block_find(ids[i]);
        char path[600];
        char *data = NULL;
        size_t bytes = 0;
        struct error error = {0};
        (void)snprintf(path, sizeof path, "%s/tests/golden/gguf_blocks/%s.bin", TEST_SOURCE_DIR,
                       block->name);
        if (file_read(&data, &bytes, path, 1 << 20, &error) != 0)
            fail_msg("%s", error.text);
        int64_t count = 3 * (int64_t)block->elements;
        assert_int_equal(bytes, 3 * block->bytes + (size_t)count * sizeof(float));
        for (size_t b = 0; b < 3; b++)
            check_parts(block, (unsigned char *)data + b * block->bytes);
        float expected[3 * GGUF_BLOCK_ELEMENTS_MAX];
        float values[3 * GGUF_BLOCK_ELEMENTS_MAX];
        memcpy(expected, data + 3 * block->bytes, (size_t)count * sizeof(float));
        /* Whole, and from the middle of one block into another. */
        for (int64_t first = 0; first < count; first += 17) {
            gguf_block_read(block, (unsigned char *)data, first, count - first, values);
            for (int64_t k = first; k < count; k++)
                assert_close(values[k - first], expected[k], fabs((double)expected[k]) * 1e-6);
        }
        free(data);
    }
    assert_null(gguf_block_find(4711));
    assert_false(gguf_block_has_parts(gguf_block_find(0)));  /* F32 */
    assert_false(gguf_block_has_parts(gguf_block_find(10))); /* Q2_K: not read */
    /* A format that can be read one day has no parts before somebody says which. */
    struct gguf_block unknown = *gguf_block_find(8);
    unknown.id = 9;
    assert_false(gguf_block_has_parts(&unknown));
    assert_int_equal(gguf_block_sub_scales(gguf_block_find(8)), 0);
    assert_int_equal(gguf_block_sub_scales(gguf_block_find(12)), 8);
    assert_int_equal(gguf_block_sub_scales(gguf_block_find(14)), 16);
}

/* Parses a copy of `bytes`; returns the code and leaves the text in `error`. */
static int parse(const unsigned char *bytes, size_t count, struct error *error)
{
    struct tensor_set set = {0};
    struct tensor_file file = {.path = "hostile.gguf", .map = {bytes, count}};
    json_t *metadata = NULL;
    int status = gguf_parse(&set, &metadata, &file, error);
    if (status == 0)
        status = tensor_set_finish(&set, error);
    json_decref(metadata);
    tensor_set_free(&set);
    return status;
}

static void put(unsigned char *bytes, size_t *length, uint64_t value, int count)
{
    for (int i = 0; i < count; i++)
        bytes[(*length)++] = (unsigned char)(value >> (8 * i));
}

static void put_string(unsigned char *bytes, size_t *length, const char *string)
{
    put(bytes, length, strlen(string), 8);
    memcpy(bytes + *length, string, strlen(string));
    *length += strlen(string);
}

/* A file of one tensor with the given facts and `data_bytes` of data. */
static size_t one_tensor(unsigned char *bytes, uint64_t rows, uint64_t columns, uint64_t type,
                         uint64_t offset, size_t data_bytes)
{
    size_t length = 0;
    memcpy(bytes, "GGUF", 4);
    length = 4;
    put(bytes, &length, 3, 4);
    put(bytes, &length, 1, 8);
    put(bytes, &length, 1, 8);
    put_string(bytes, &length, "general.architecture");
    put(bytes, &length, 8, 4);
    put_string(bytes, &length, "llama");
    put_string(bytes, &length, "token_embd.weight");
    put(bytes, &length, 2, 4);
    put(bytes, &length, columns, 8);
    put(bytes, &length, rows, 8);
    put(bytes, &length, type, 4);
    put(bytes, &length, offset, 8);
    while (length % 32 != 0)
        bytes[length++] = 0;
    memset(bytes + length, 0, data_bytes);
    return length + data_bytes;
}

static void hostile_tensors(void **state)
{
    (void)state;
    static const struct {
        uint64_t rows, columns, type, offset;
        size_t data_bytes;
        const char *part; /* of the message; NULL: it is good */
    } cases[] = {
        {2, 4, 0, 0, 32, NULL},
        {2, 32, 8, 0, 68, NULL},
        {2, 4, 0, 0, 31, "outside the file"},
        {2, 4, 0, 32, 32, "outside the file"},
        {2, 4, 0, 1, 64, "outside the file"},
        {2, 4, 0, UINT64_MAX - 31, 64, "outside the file"},
        {UINT64_MAX, 4, 0, 0, 64, "impossible shape"},
        {1ULL << 62, 1ULL << 62, 0, 0, 64, "impossible shape"},
        {1ULL << 60, 8, 0, 0, 64, "impossibly large"},
        {0, 4, 0, 0, 64, "impossible shape"},
        {2, 33, 8, 0, 68, "whole blocks of Q8_0"},
        {2, 256, 10, 0, 200, "has type Q2_K"},
        {2, 4, 99, 0, 64, "has type unknown"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned char bytes[1024];
        struct error error = {0};
        size_t length = one_tensor(bytes, cases[i].rows, cases[i].columns, cases[i].type,
                                   cases[i].offset, cases[i].data_bytes);
        int status = parse(bytes, length, &error);
        if (cases[i].part == NULL) {
            assert_int_equal(status, 0);
            continue;
        }
        assert_int_equal(status, ERROR_INPUT);
        assert_contains(error.text, cases[i].part);
        assert_contains(error.text, "hostile.gguf");
    }
}

static void every_truncation(void **state)
{
    (void)state;
    unsigned char bytes[1024];
    size_t length = one_tensor(bytes, 2, 4, 0, 0, 32);
    for (size_t cut = 0; cut < length; cut++) {
        struct error error = {0};
        unsigned char *copy = malloc(cut + 1);
        assert_non_null(copy);
        memcpy(copy, bytes, cut);
        assert_int_equal(parse(copy, cut, &error), ERROR_INPUT);
        assert_contains(error.text, "hostile.gguf");
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(block_formats),
                                       cmocka_unit_test(hostile_tensors),
                                       cmocka_unit_test(every_truncation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
