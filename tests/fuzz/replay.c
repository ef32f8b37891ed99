/* Feeds every file named on the command line, and every file of a named folder, to the fuzz
 * target it is linked with: the corpus is part of the tests, without libFuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return -1;
    }
    uint8_t *data = NULL;
    size_t size = 0;
    size_t capacity = 0;
    size_t got = 0;
    do {
        if (size + 4096 > capacity) {
            capacity = 2 * capacity + 8192;
            uint8_t *larger = realloc(data, capacity);
            if (larger == NULL) {
                free(data);
                (void)fclose(file);
                return -1;
            }
            data = larger;
        }
        got = fread(data + size, 1, 4096, file);
        size += got;
    } while (got > 0);
    (void)fclose(file);

    /* An exact copy, so that a read past the end is one past an allocation too. */
    uint8_t *exact = malloc(size > 0 ? size : 1);
    if (exact != NULL) {
        for (size_t i = 0; i < size; i++)
            exact[i] = data[i];
        (void)LLVMFuzzerTestOneInput(exact, size);
    }
    free(exact);
    free(data);
    return exact != NULL ? 0 : -1;
}

/* Returns how many files were replayed, -1 on failure. */
static int replay(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return replay_file(path) == 0 ? 1 : -1;
    int count = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (replay_file(name) != 0) {
            count = -1;
            break;
        }
        count++;
    }
    (void)closedir(folder);
    return count;
}

int main(int argument_count, char **arguments)
{
    int total = 0;
    for (int i = 1; i < argument_count; i++) {
        int count = replay(arguments[i]);
        if (count < 0)
            return EXIT_FAILURE;
        total += count;
    }
    (void)printf("%d inputs replayed\n", total);
    return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
