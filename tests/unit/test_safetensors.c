/* The safetensors reader: good files, every kind of damage, shards, and the conversion of every
 * bit pattern of the small types. */
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "model/safetensors.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/tokenmark_test_XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

static const char *path_of(const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_bytes(const char *name, const void *bytes, size_t count)
{
    FILE *file = fopen(path_of(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

/* A file of a header and `data_bytes` of data: byte i is i modulo 251. */
static void write_safetensors(const char *name, const char *header, size_t data_bytes)
{
    size_t length = strlen(header);
    unsigned char *bytes = malloc(8 + length + data_bytes);
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(length >> (8 * i));
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < data_bytes; i++)
        bytes[8 + length + i] = (unsigned char)(i % 251);
    write_bytes(name, bytes, 8 + length + data_bytes);
    free(bytes);
}

static void test_good_file(void **state)
{
    (void)state;
    write_safetensors("good.safetensors",
                      "{\"__metadata__\": {\"format\": \"pt\"},"
                      " \"b\": {\"dtype\": \"F32\", \"shape\": [2, 3], \"data_offsets\": [8, 32]},"
                      " \"a\": {\"dtype\": \"I64\", \"shape\": [], \"data_offsets\": [0, 8]},"
                      " \"none\": {\"dtype\": \"F16\", \"shape\": [0, 4], \"data_offsets\": [8, 8]}"
                      "}   ",
                      32);
    struct tensor_set set = {0};
    struct error error = {0};
    if (safetensors_open(&set, path_of("good.safetensors"), &error) != 0)
        fail_msg("%s", error.text);
    assert_int_equal(tensor_set_finish(&set, &error), 0);
    assert_int_equal(set.count, 3);
    const struct tensor *b = tensor_find(&set, "b");
    assert_non_null(b);
    assert_int_equal(b->rank, 2);
    assert_int_equal(b->shape[1], 3);
    assert_int_equal(b->data[0], 8);
    assert_int_equal(b->bytes, 24);
    assert_int_equal(tensor_find(&set, "a")->type, TENSOR_OTHER);
    assert_null(tensor_find(&set, "c"));
    tensor_set_free(&set);
}

static void test_broken_headers(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data_bytes;
        const char *words;
    } cases[] = {
        {"", 0, "bad.safetensors"},
        {"[]", 0, "no JSON object"},
        {"{\"w\": ", 0, "bad.safetensors"},
        {"{\"w\": 3}", 0, "dtype is missing"},
        {"{\"w\": {\"dtype\": \"F32\"}}", 0, "shape"},
        {"{\"w\": {\"dtype\": \"F33\", \"shape\": [1], \"data_offsets\": [0, 4]}}", 4, "F33"},
        {"{\"w\": {\"dtype\": \"F32\", \"shape\": [1]}}", 4, "data_offsets"},
        {"{\"w\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 8]}}", 4,
         "beyond the end"},
        {"{\"w\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [4, 0]}}", 4,
         "data_offsets"},
        {"{\"w\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [-4, 0]}}", 4,
         "data_offsets"},
        {"{\"w\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0.5, 4]}}", 4,
         "data_offsets"},
        {"{\"w\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 4]}}", 4,
         "take 8 bytes"},
        {"{\"w\": {\"dtype\": \"F32\", \"shape\": [-1], \"data_offsets\": [0, 4]}}", 4, "no size"},
        {"{\"w\": {\"dtype\": \"F32\", \"shape\": [\"1\"], \"data_offsets\": [0, 4]}}", 4,
         "no size"},
        {"{\"w\": {\"dtype\": \"F32\", \"shape\": [4294967296, 4294967296],"
         " \"data_offsets\": [0, 0]}}",
         0, "larger than any memory"},
        {"{\"w\": {\"dtype\": \"F32\", \"shape\": [1,1,1,1,1,1,1,1,1], \"data_offsets\": [0, 4]}}",
         4, "at most 8"},
        {"{\"v\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]},"
         " \"w\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [4, 12]}}",
         12, "overlap"},
        {"{\"v\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]},"
         " \"w\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [8, 12]}}",
         12, "gap"},
        {"{\"w\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}}", 6,
         "belong to no tensor"},
        {"{\"w\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]},"
         " \"w\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [4, 8]}}",
         8, "w"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_safetensors("bad.safetensors", cases[i].header, cases[i].data_bytes);
        struct tensor_set set = {0};
        struct error error = {0};
        if (safetensors_open(&set, path_of("bad.safetensors"), &error) != ERROR_INPUT)
            fail_msg("not refused: %s", cases[i].header);
        assert_contains(error.text, "bad.safetensors");
        assert_contains(error.text, cases[i].words);
        tensor_set_free(&set);
    }
}

static void refuse_file(const char *name, const char *words)
{
    struct tensor_set set = {0};
    struct error error = {0};
    assert_int_equal(safetensors_open(&set, path_of(name), &error), ERROR_INPUT);
    assert_contains(error.text, name);
    assert_contains(error.text, words);
    tensor_set_free(&set);
}

static void test_broken_files(void **state)
{
    (void)state;
    refuse_file("missing.safetensors", "");
    write_bytes("empty.safetensors", "", 0);
    refuse_file("empty.safetensors", "0 bytes");
    write_bytes("short.safetensors", "1234567", 7);
    refuse_file("short.safetensors", "7 bytes");
    write_bytes("long_header.safetensors", "\x10\0\0\0\0\0\0\0{}", 10);
    refuse_file("long_header.safetensors", "claims 16 bytes");
    write_bytes("huge_header.safetensors", "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
    refuse_file("huge_header.safetensors", "claims 18446744073709551615 bytes");
    assert_int_equal(mkdir(path_of("folder.safetensors"), 0755), 0);
    refuse_file("folder.safetensors", "");
}

static int open_index(struct tensor_set *set, const char *index, struct error *error)
{
    write_bytes("model.safetensors.index.json", index, strlen(index));
    int status = safetensors_open_index(set, path_of("model.safetensors.index.json"), error);
    return status == 0 ? tensor_set_finish(set, error) : status;
}

static void test_shards(void **state)
{
    (void)state;
    write_safetensors("one.safetensors",
                      "{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}}", 4);
    write_safetensors("two.safetensors",
                      "{\"b\": {\"dtype\": \"BF16\", \"shape\": [2], \"data_offsets\": [0, 4]}}",
                      4);
    struct tensor_set set = {0};
    struct error error = {0};
    if (open_index(&set,
                   "{\"weight_map\": {\"a\": \"one.safetensors\", \"b\": \"two.safetensors\"}}",
                   &error) != 0)
        fail_msg("%s", error.text);
    assert_non_null(tensor_find(&set, "a"));
    assert_int_equal(tensor_find(&set, "b")->type, TENSOR_BF16);
    assert_int_equal(set.file_count, 2);
    tensor_set_free(&set);

    write_safetensors("again.safetensors",
                      "{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}}", 4);
    static const struct {
        const char *index, *words;
    } broken[] = {
        {"{}", "weight_map"},
        {"{\"weight_map\": {}}", "weight_map"},
        {"{\"weight_map\": {\"a\": 5}}", "\"a\""},
        {"{\"weight_map\": {\"a\": \"nowhere.safetensors\"}}", "nowhere.safetensors"},
        {"{\"weight_map\": {\"a\": \"../one.safetensors\"}}", "../one.safetensors"},
        {"{\"weight_map\": {\"a\": \"/etc/passwd\"}}", "/etc/passwd"},
        {"{\"weight_map\": {\"a\": \"\"}}", "no file beside"},
        {"{\"weight_map\": {\"a\": \"one.safetensors\", \"c\": \"again.safetensors\"}}", "twice"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        if (open_index(&set, broken[i].index, &error) != ERROR_INPUT)
            fail_msg("not refused: %s", broken[i].index);
        assert_contains(error.text, broken[i].words);
        tensor_set_free(&set);
    }
}

/* sign, exponent and mantissa as arithmetic: another road to the same number. */
static double small_float(uint32_t bits, int exponent_bits, int mantissa_bits)
{
    int bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = (int)(bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
    double mantissa = (double)(bits & ((1U << mantissa_bits) - 1)) / (double)(1 << mantissa_bits);
    double sign = bits >> (exponent_bits + mantissa_bits) ? -1 : 1;
    if (exponent == 0)
        return sign * ldexp(mantissa, 1 - bias);
    return sign * ldexp(1 + mantissa, exponent - bias);
}

static void test_conversions(void **state)
{
    (void)state;
    static const struct {
        enum tensor_type type;
        int exponent_bits, mantissa_bits;
        bool has_infinity;
    } types[] = {
        {TENSOR_F16, 5, 10, true}, {TENSOR_BF16, 8, 7, true}, {TENSOR_F8_E4M3, 4, 3, false}};
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        size_t bytes = tensor_element_bytes(types[t].type);
        uint32_t patterns = 1U << (8 * bytes);
        for (uint32_t bits = 0; bits < patterns; bits++) {
            unsigned char data[2] = {(unsigned char)bits, (unsigned char)(bits >> 8)};
            struct tensor tensor = {.type = types[t].type, .data = data, .bytes = bytes};
            float value;
            tensor_read(&tensor, 0, 1, &value);
            uint32_t size = bits & (patterns / 2 - 1);
            uint32_t top = size >> types[t].mantissa_bits;
            bool is_top = top == (1U << types[t].exponent_bits) - 1;
            uint32_t mantissa = size & ((1U << types[t].mantissa_bits) - 1);
            bool nan = types[t].has_infinity ? is_top && mantissa != 0 : size == 0x7f;
            if (nan)
                assert_true(isnan(value));
            else if (types[t].has_infinity && is_top)
                assert_true(isinf(value) && (value < 0) == (bits >= patterns / 2));
            else
                assert_true((double)value ==
                            small_float(bits, types[t].exponent_bits, types[t].mantissa_bits));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_file),    cmocka_unit_test(test_broken_headers),
        cmocka_unit_test(test_broken_files), cmocka_unit_test(test_shards),
        cmocka_unit_test(test_conversions),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
