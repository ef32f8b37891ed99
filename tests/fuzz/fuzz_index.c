/* Any bytes as a model.safetensors.index.json beside one good shard: refused with a reason, or all
 * that it names is opened; and nothing outside its folder is. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/safetensors.h"

static char folder[] = "/tmp/tokenmark_fuzz_XXXXXX";
static char index_path[64], shard_path[64];

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
}

static void clean_up(void)
{
    (void)remove(index_path);
    (void)remove(shard_path);
    (void)rmdir(folder);
}

static void prepare(void)
{
    static const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    unsigned char shard[8 + sizeof header - 1 + 4] = {sizeof header - 1};
    memcpy(shard + 8, header, sizeof header - 1);
    if (mkdtemp(folder) == NULL)
        abort();
    (void)snprintf(index_path, sizeof index_path, "%s/index.json", folder);
    (void)snprintf(shard_path, sizeof shard_path, "%s/good.safetensors", folder);
    write_file(shard_path, shard, sizeof shard);
    (void)atexit(clean_up);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (index_path[0] == '\0')
        prepare();
    write_file(index_path, data, size);
    struct tensor_set set = {0};
    struct error error = {0};
    if (safetensors_open_index(&set, index_path, &error) == 0) {
        if (set.count == 0 || !safetensors_index_is_complete(index_path))
            abort();
    } else if (error.text[0] == '\0') {
        abort(); /* a refusal must say something */
    }
    for (size_t i = 0; i < set.file_count; i++)
        if (strncmp(set.files[i]->path, folder, strlen(folder)) != 0)
            abort();
    tensor_set_free(&set);
    return 0;
}
