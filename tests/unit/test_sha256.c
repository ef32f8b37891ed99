/* SHA-256 against the examples of FIPS 180-4 and NIST's long message, in pieces of every size. */
#include "base/sha256.h"

#include "test.h"

static void digest(const char *data, size_t bytes, size_t piece, char hex[SHA256_HEX_LENGTH + 1])
{
    struct sha256 sha;
    sha256_start(&sha);
    for (size_t done = 0; done < bytes; done += piece)
        sha256_add(&sha, data + done, bytes - done < piece ? bytes - done : piece);
    sha256_finish(&sha, hex);
}

static void known_digests(void **state)
{
    (void)state;
    static const struct {
        const char *message, *hex;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrl"
         "mn"
         "opqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    char hex[SHA256_HEX_LENGTH + 1];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t piece = 1; piece < 130; piece++) {
            digest(cases[i].message, strlen(cases[i].message), piece, hex);
            assert_string_equal(hex, cases[i].hex);
        }
}

static void million_letters(void **state)
{
    (void)state;
    char *message = malloc(1000000);
    assert_non_null(message);
    memset(message, 'a', 1000000);
    char hex[SHA256_HEX_LENGTH + 1];
    digest(message, 1000000, 4097, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_digests),
                                       cmocka_unit_test(million_letters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
