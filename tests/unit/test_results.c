/* Results in memory, as JSON and as CSV: what is written reads back the same, the Python suite's
 * files are understood, and anything else is refused with its place. */
#include "test.h"

#include "base/json.h"
#include "base/philox.h"
#include "results/results.h"

static double draw(uint32_t *counter)
{
    struct philox_block block = philox4x32((struct philox_block){{(*counter)++, 0, 0, 0}}, 9);
    uint64_t bits = ((uint64_t)block.word[0] << 20) ^ block.word[1];
    return (double)bits / 4503599627370496.0 + 1e-6;
}

static struct run_record make_run(int64_t batch, int64_t length, int64_t output, int64_t number,
                                  uint32_t *counter)
{
    struct run_record run;
    run_record_init(&run);
    (void)strcpy(run.timestamp, "2026-01-31T23:59:59.123456+01:00");
    (void)strcpy(run.model_name, "org/name, \"quoted\"\xC3\xA9");
    (void)strcpy(run.device, "cpu");
    (void)strcpy(run.dtype, "float32");
    run.batch_size = batch;
    run.input_length = length;
    run.target_output_length = output;
    run.actual_output_length = output;
    run.run_number = number;
    run.prefill_time = draw(counter);
    run.decode_time = draw(counter);
    run.cpu_memory_mb = 1000.0 * draw(counter);
    run.temperature = 1.0;
    run.top_p = 0.9;
    if (output > 1) {
        run.decode_step_count = (size_t)(output - 1);
        run.decode_step_times = calloc(run.decode_step_count, sizeof(double));
        for (size_t i = 0; i < run.decode_step_count; i++)
            run.decode_step_times[i] = draw(counter);
    }
    run_record_derive(&run);
    return run;
}

/* Two measured cells of two runs, one skipped, one failed; all blocks. */
static void fill(struct results *results, int64_t output)
{
    struct error error = {0};
    uint32_t counter = 0;
    results_init(results);
    results->tool = json_pack("{s:s,s:s}", "name", "tokenmark", "version", "0");
    results->config = json_pack("{s:[i,i],s:f}", "batch_sizes", 1, 2, "top_p", 0.9);
    results->options = json_pack("{s:i}", "seed", 42);
    results->system = json_pack("{s:n}", "governor");
    results->model = json_pack("{s:s}", "weights", "random");
    const struct cell_record cells[] = {
        {.batch_size = 1, .input_length = 8, .status = CELL_MEASURED},
        {.batch_size = 2, .input_length = 8, .status = CELL_PARTIAL},
        {.batch_size = 2, .input_length = 99, .status = CELL_SKIPPED, .reason = "2 x 99 > 100"},
        {.batch_size = 4, .input_length = 8, .status = CELL_FAILED, .reason = "no \"memory\""},
    };
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(results_add_cell(results, &cells[i], &error), 0);
    for (int64_t batch = 1; batch <= 2; batch++) {
        for (int64_t number = 1; number <= 3 - batch; number++) {
            struct run_record run = make_run(batch, 8, output, number, &counter);
            assert_int_equal(results_add_run(results, &run, &error), 0);
        }
    }
}

static void assert_same_double(double actual, double expected)
{
    if (isnan(expected))
        assert_true(isnan(actual));
    else
        assert_memory_equal(&actual, &expected, sizeof expected);
}

static void assert_same_run(const struct run_record *actual, const struct run_record *expected)
{
    assert_string_equal(actual->timestamp, expected->timestamp);
    assert_string_equal(actual->model_name, expected->model_name);
    assert_string_equal(actual->device, expected->device);
    assert_string_equal(actual->dtype, expected->dtype);
    assert_int_equal(actual->batch_size, expected->batch_size);
    assert_int_equal(actual->input_length, expected->input_length);
    assert_int_equal(actual->target_output_length, expected->target_output_length);
    assert_int_equal(actual->actual_output_length, expected->actual_output_length);
    assert_int_equal(actual->run_number, expected->run_number);
    assert_int_equal(actual->decode_tokens_count, expected->decode_tokens_count);
    assert_same_double(actual->temperature, expected->temperature);
    assert_same_double(actual->top_p, expected->top_p);
    for (size_t i = 0; i < METRIC_COUNT; i++)
        assert_same_double(metric_value(&metrics[i], actual), metric_value(&metrics[i], expected));
}

static void test_derive(void **state)
{
    (void)state;
    struct run_record run;
    run_record_init(&run);
    run.batch_size = 4;
    run.input_length = 100;
    run.actual_output_length = 11;
    run.prefill_time = 0.5;
    run.decode_time = 2.0;
    run_record_derive(&run);
    assert_close(run.total_latency, 2.5, 0);
    assert_int_equal(run.decode_tokens_count, 10);
    assert_close(run.decode_time_per_token, 0.2, 0);
    assert_close(run.tokens_per_second, 4 * 11 / 2.5, 0);
    assert_close(run.prefill_tokens_per_second, 800, 0);
    assert_close(run.decode_tokens_per_second, 20, 0);
    assert_true(isnan(run.cpu_memory_mb));
    run.actual_output_length = 1;
    run_record_derive(&run);
    assert_close(run.decode_time, 0, 0);
    assert_close(run.total_latency, 0.5, 0);
    assert_int_equal(run.decode_tokens_count, 0);
    assert_true(isnan(run.decode_time_per_token));
    assert_true(isnan(run.decode_tokens_per_second));
    assert_close(run.tokens_per_second, 8, 0);
    run.prefill_time = 0.0;
    run_record_derive(&run);
    assert_true(isnan(run.tokens_per_second));
}

static void test_json_reads_back_exactly(void **state)
{
    (void)state;
    for (int64_t output = 1; output <= 5; output += 4) {
        struct results results;
        struct results back;
        struct text text = {0};
        struct text again = {0};
        struct error error = {0};
        fill(&results, output);
        assert_int_equal(results_write_json(&results, &text, &error), 0);
        assert_int_equal(results_parse_json(&back, text_string(&text), text.length, "r", &error),
                         0);
        assert_int_equal(back.origin, RESULTS_TOKENMARK_JSON);
        assert_int_equal(back.run_count, results.run_count);
        assert_int_equal(back.cell_count, results.cell_count);
        for (size_t i = 0; i < back.run_count; i++) {
            assert_same_run(&back.runs[i], &results.runs[i]);
            assert_int_equal(back.runs[i].decode_step_count, results.runs[i].decode_step_count);
            if (output > 1)
                assert_memory_equal(back.runs[i].decode_step_times,
                                    results.runs[i].decode_step_times,
                                    results.runs[i].decode_step_count * sizeof(double));
        }
        assert_true(json_equal(back.tool, results.tool));
        assert_true(json_equal(back.system, results.system));
        assert_true(json_equal(back.model, results.model));
        assert_true(json_equal(back.config, results.config));
        assert_true(json_equal(back.options, results.options));
        assert_int_equal(results_write_json(&back, &again, &error), 0);
        assert_string_equal(text_string(&text), text_string(&again));
        text_free(&text);
        text_free(&again);
        results_free(&results);
        results_free(&back);
    }
}

static void test_csv_reads_back_exactly(void **state)
{
    (void)state;
    for (int64_t output = 1; output <= 5; output += 4) {
        struct results results;
        struct results back;
        struct text text = {0};
        struct error error = {0};
        fill(&results, output);
        assert_int_equal(results_write_csv(&results, &text, &error), 0);
        assert_int_equal(results_parse_csv(&back, text_string(&text), text.length, "r", &error), 0);
        assert_int_equal(back.origin, RESULTS_TOKENMARK_CSV);
        assert_int_equal(back.run_count, results.run_count);
        assert_int_equal(back.cell_count, 2);
        for (size_t i = 0; i < back.run_count; i++)
            assert_same_run(&back.runs[i], &results.runs[i]);
        text_free(&text);
        results_free(&results);
        results_free(&back);
    }
}

static void test_json_document(void **state)
{
    (void)state;
    struct results results;
    struct text text = {0};
    struct error error = {0};
    json_t *document = NULL;
    fill(&results, 1);
    assert_int_equal(results_write_json(&results, &text, &error), 0);
    assert_int_equal(json_text_load(&document, text_string(&text), text.length, "r", &error), 0);
    const char *keys[] = {"schema_version", "tool",      "config", "options", "system",
                          "model",          "elapsed_s", "cells",  "runs"};
    assert_int_equal(json_object_size(document), 9);
    for (size_t i = 0; i < 9; i++)
        assert_non_null(json_object_get(document, keys[i]));
    const json_t *cells = json_object_get(document, "cells");
    const json_t *first = json_array_get(cells, 0);
    assert_string_equal(json_string_value(json_object_get(first, "status")), "measured");
    assert_true(json_is_null(json_object_get(first, "reason")));
    for (size_t i = 0; i < METRIC_COUNT; i++)
        assert_non_null(json_object_get(first, metrics[i].name));
    /* One token: no decode step, so no time of one. */
    assert_true(json_is_null(json_object_get(first, "decode_time_per_token")));
    assert_true(json_is_null(json_object_get(first, "gpu_memory_reserved_mb")));
    const json_t *latency = json_object_get(first, "total_latency");
    double mean = (results.runs[0].total_latency + results.runs[1].total_latency) / 2;
    assert_close(json_real_value(json_object_get(latency, "mean")), mean, 1e-15);
    assert_true(json_is_real(json_object_get(latency, "std")));
    /* One run: no spread. */
    const json_t *second = json_object_get(json_array_get(cells, 1), "total_latency");
    assert_true(json_is_null(json_object_get(second, "std")));
    assert_true(json_is_real(json_object_get(second, "median")));
    const json_t *skipped = json_array_get(cells, 2);
    assert_string_equal(json_string_value(json_object_get(skipped, "reason")), "2 x 99 > 100");
    assert_true(json_is_null(json_object_get(skipped, "total_latency")));
    const json_t *run = json_array_get(json_object_get(document, "runs"), 0);
    assert_true(json_is_null(json_object_get(run, "decode_time_per_token")));
    assert_close(json_real_value(json_object_get(run, "decode_time")), 0, 0);
    const json_t *memory = json_object_get(run, "memory_usage");
    assert_int_equal(json_object_size(memory), 1);
    assert_true(json_is_real(json_object_get(memory, "cpu_memory_mb")));
    json_decref(document);
    text_free(&text);
    results_free(&results);
}

static void test_csv_form(void **state)
{
    (void)state;
    struct results results;
    struct text text = {0};
    struct error error = {0};
    fill(&results, 1);
    assert_int_equal(results_write_csv(&results, &text, &error), 0);
    assert_contains(text_string(&text), "timestamp,model_name,device,dtype,batch_size,");
    assert_contains(text_string(&text), ",cpu_memory_mb,gpu_memory_allocated_mb,"
                                        "gpu_memory_reserved_mb\r\n");
    assert_contains(text_string(&text), ",\"org/name, \"\"quoted\"\"\xC3\xA9\",cpu,float32,1,8,");
    size_t rows = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '\n') {
            assert_int_equal(text.data[i - 1], '\r');
            rows++;
        }
    }
    assert_int_equal(rows, 1 + results.run_count);
    /* No GPU: the last two columns are empty. */
    assert_string_equal(text.data + text.length - 4, ",,\r\n");
    text_free(&text);
    results_free(&results);
}

static void test_texts_that_are_not_utf8_do_not_cost_the_file(void **state)
{
    (void)state;
    struct results results;
    struct text text = {0};
    struct error error = {0};
    fill(&results, 3);
    (void)strcpy(results.cells[3].reason, "cut \xC3");
    (void)strcpy(results.runs[0].model_name, "\xFFname");
    assert_int_equal(results_write_json(&results, &text, &error), 0);
    assert_contains(text_string(&text), "\"cut ?\"");
    assert_contains(text_string(&text), "\"?name\"");
    text_free(&text);
    results_free(&results);
}

static void load_sample(struct results *results, const char *name)
{
    char path[512];
    struct error error = {0};
    (void)snprintf(path, sizeof path, "%s/tests/unit/data/%s", TEST_SOURCE_DIR, name);
    if (results_load(results, path, &error) != 0)
        fail_msg("%s", error.text);
    assert_string_equal(results->source_path, path);
}

static void test_python_suite_files(void **state)
{
    (void)state;
    struct results json;
    struct results csv;
    load_sample(&json, "python_suite.json");
    load_sample(&csv, "python_suite.csv");
    assert_int_equal(json.origin, RESULTS_PYTHON_SUITE);
    assert_int_equal(csv.origin, RESULTS_PYTHON_SUITE);
    assert_int_equal(json.run_count, 4);
    assert_int_equal(csv.run_count, 4);
    assert_int_equal(json.cell_count, 2);
    for (size_t i = 0; i < 4; i++)
        assert_same_run(&csv.runs[i], &json.runs[i]);
    const struct run_record *run = &json.runs[2];
    assert_int_equal(run->batch_size, 2);
    /* The suite states 12 tokens over the time; the batch generated 24. */
    assert_close(run->tokens_per_second, 24 / run->total_latency, 1e-12);
    assert_close(run->cpu_memory_mb, 1301.76171875, 0);
    assert_close(run->gpu_memory_allocated_mb, 512.5, 0);
    assert_true(isnan(json.runs[0].gpu_memory_allocated_mb));
    results_free(&json);
    results_free(&csv);
}

static const char python_run[] =
    "{\"model_name\":\"%s\",\"device\":\"%s\",\"batch_size\":1,\"input_length\":4,"
    "\"actual_output_length\":3,\"run_number\":1%s}";

static void test_cells_are_made_per_series(void **state)
{
    (void)state;
    char json[2048];
    char runs[4][256];
    const char *times = ",\"total_latency\":1.5,\"estimated_prefill_time\":0.5,\"decode_time\":1";
    (void)snprintf(runs[0], sizeof runs[0], python_run, "a", "cpu", times);
    (void)snprintf(runs[1], sizeof runs[1], python_run, "b", "cpu", times);
    (void)snprintf(runs[2], sizeof runs[2], python_run, "a", "cuda:0", times);
    (void)snprintf(runs[3], sizeof runs[3], python_run, "a", "cpu", times);
    (void)snprintf(json, sizeof json, "[%s,%s,%s,%s]", runs[0], runs[1], runs[2], runs[3]);
    struct results results;
    struct error error = {0};
    assert_int_equal(results_parse_json(&results, json, strlen(json), "p.json", &error), 0);
    assert_int_equal(results.cell_count, 3);
    assert_string_equal(results.cells[2].device, "cuda:0");
    struct stats_summary summary;
    assert_int_equal(results_summarise(&results, &results.cells[0], &metrics[METRIC_PREFILL_TIME],
                                       &summary, &error),
                     0);
    assert_int_equal(summary.count, 2);
    assert_close(summary.mean, 0.5, 0);
    assert_null(results_find_cell(&results, 1, 5));
    assert_ptr_equal(results_find_cell(&results, 1, 4), &results.cells[0]);
    results_free(&results);
    results_free(NULL);
}

static void test_json_that_is_refused(void **state)
{
    (void)state;
    const struct {
        const char *json;
        const char *expected;
    } cases[] = {
        {"", "r.json:1:1: not valid JSON"},
        {"{\"schema_version\": 1, \"runs\": [", "r.json:1:"},
        {"{}", "r.json: is no results file"},
        {"{\"batch_sizes\": [1]}", "r.json: is no results file"},
        {"{\"schema_version\": 2, \"runs\": []}", "schema_version: is 2, allowed is 1 to 1"},
        {"{\"schema_version\": \"1\", \"runs\": []}", "schema_version: is a string"},
        {"{\"schema_version\": 1, \"runs\": {}}", "r.json: is no results file"},
        {"{\"schema_version\": 1, \"runs\": [], \"cells\": 3}", "cells: is a whole number"},
        {"{\"schema_version\": 1, \"runs\": [], \"cells\": [3]}", "cells[0]: is a whole number"},
        {"{\"schema_version\": 1, \"runs\": [], \"model\": []}", "model: is a list"},
        {"{\"schema_version\": 1, \"runs\": [], \"cells\": [{\"batch_size\": 1}]}",
         "cells[0].input_length: is missing"},
        {"{\"schema_version\": 1, \"runs\": [], \"cells\": [{\"batch_size\": 1, "
         "\"input_length\": 1, \"status\": \"done\"}]}",
         "cells[0].status: is \"done\", allowed are pending"},
        {"{\"schema_version\": 1, \"runs\": [7]}", "runs[0]: is a whole number"},
        {"[{}]", "[0].model_name: is missing"},
        {"[{\"model_name\": 7}]", "[0].model_name: is a whole number"},
        {"[{\"model_name\":\"a\",\"device\":\"0123456789012345678901234567890123456789\"}]",
         "[0].device: has 40 bytes, at most 31"},
        {"[{\"model_name\":\"a\",\"device\":\"cpu\",\"batch_size\":0}]",
         "[0].batch_size: is 0, allowed is 1 to"},
        {"[{\"model_name\":\"a\",\"device\":\"cpu\",\"batch_size\":1.5}]",
         "[0].batch_size: is a number with a fraction, a whole number is needed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct results results;
        struct error error = {0};
        assert_int_equal(
            results_parse_json(&results, cases[i].json, strlen(cases[i].json), "r.json", &error),
            ERROR_INPUT);
        assert_contains(error.text, cases[i].expected);
        assert_contains(error.text, "r.json");
        assert_null(results.runs);
    }
    const char *const times[][2] = {
        {"", "[0]: neither total_latency nor prefill_time"},
        {",\"prefill_time\":1", "neither total_latency"},
        {",\"total_latency\":\"1\"", "[0].total_latency: is a string"},
        {",\"total_latency\":-1", "[0].total_latency: is -1, a number from 0 up"},
        {",\"total_latency\":1,\"memory_usage\":[]", "[0].memory_usage: is a list"},
        {",\"total_latency\":1,\"memory_usage\":{\"cpu_memory_mb\":\"x\"}",
         "[0].memory_usage.cpu_memory_mb: is a string"},
        {",\"total_latency\":1,\"decode_step_times\":3", "[0].decode_step_times: is a whole"},
        {",\"total_latency\":1,\"decode_step_times\":[1,null]", "decode_step_times[1]: is null"},
        {",\"total_latency\":1,\"decode_step_times\":[-1]", "decode_step_times[0]: is negative"},
    };
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char run[512];
        char json[1024];
        struct results results;
        struct error error = {0};
        (void)snprintf(run, sizeof run, python_run, "a", "cpu", times[i][0]);
        (void)snprintf(json, sizeof json, "[%s]", run);
        assert_int_equal(results_parse_json(&results, json, strlen(json), "r.json", &error),
                         ERROR_INPUT);
        assert_contains(error.text, times[i][1]);
    }
}

#define HEADER "model_name,device,batch_size,input_length,actual_output_length,run_number,"
#define ROW "a,cpu,1,4,3,1,"

static void test_csv_that_is_taken(void **state)
{
    (void)state;
    const char *const cases[] = {
        HEADER "total_latency\n" ROW "1.5\n",
        HEADER "total_latency\r\n" ROW "1.5",
        "\xEF\xBB\xBF" HEADER "unknown,total_latency\n\n" ROW "\"x\r\ny\",1.5\n\n",
        HEADER "total_latency,memory_usage\n" ROW "1.5,\"{'cpu_memory_mb': None, 'x': 1}\"\n",
        HEADER "prefill_time,decode_time\n" ROW "0.5,1.0\n",
        HEADER "total_latency,memory_usage\n\"a\",cpu,1.0,4,3,1,1.5,nan\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct results results;
        struct error error = {0};
        if (results_parse_csv(&results, cases[i], strlen(cases[i]), "r.csv", &error) != 0)
            fail_msg("%s", error.text);
        assert_int_equal(results.run_count, 1);
        assert_int_equal(results.runs[0].input_length, 4);
        assert_close(results.runs[0].total_latency, 1.5, 0);
        assert_close(results.runs[0].tokens_per_second, 2, 0);
        results_free(&results);
    }
}

static void test_csv_that_is_refused(void **state)
{
    (void)state;
    const char *const cases[][2] = {
        {"", "r.csv: is empty"},
        {"# A page\n", "r.csv:1: is no results file: there is no column model_name"},
        {HEADER "total_latency,total_latency\n",
         "r.csv:1: the column total_latency is there twice"},
        {HEADER "total_latency\n" ROW "\n", "r.csv:2: neither total_latency"},
        {HEADER "total_latency\n" ROW "x\n", "r.csv:2: total_latency: found \"x\""},
        {HEADER "total_latency\n" ROW "-1\n", "r.csv:2: total_latency: found \"-1\""},
        {HEADER "total_latency\n" ROW "inf\n", "r.csv:2: total_latency: found \"inf\""},
        {HEADER "total_latency\n" ROW "1e999\n", "r.csv:2: total_latency: found \"1e999\""},
        {HEADER "total_latency\n" ROW "0x1p3\n", "r.csv:2: total_latency: found \"0x1p3\""},
        {HEADER "total_latency\n" ROW "1.5\na,cpu,1,4\n",
         "r.csv:3: has 4 fields, the header has 7"},
        {HEADER "x,total_latency\n" ROW "\"a\nb\",1\na,cpu,0,4,3,1,,1\n",
         "r.csv:4: batch_size: found \"0\""},
        {HEADER "total_latency\na,cpu,1.5,4,3,1,1\n", "r.csv:2: batch_size: found \"1.5\""},
        {HEADER "total_latency\na,cpu,,4,3,1,1\n", "r.csv:2: batch_size: found \"\""},
        {HEADER "total_latency\na,cpu,1,4,3,1,\"1\n", "r.csv:2: a quoted field does not end"},
        {HEADER "total_latency\n\"a\"b,cpu,1,4,3,1,1\n", "r.csv:2: text after a closing quote"},
        {HEADER "total_latency\n\xFF,cpu,1,4,3,1,1\n", "r.csv:2: model_name: "},
        {HEADER "total_latency,memory_usage\n" ROW "1,{x\n", "r.csv:2: memory_usage: found"},
        {HEADER "total_latency,memory_usage\n" ROW "1,{'cpu_memory_mb': 'x'}\n", "memory_usage"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct results results;
        struct error error = {0};
        assert_int_equal(
            results_parse_csv(&results, cases[i][0], strlen(cases[i][0]), "r.csv", &error),
            ERROR_INPUT);
        assert_contains(error.text, cases[i][1]);
        assert_null(results.runs);
    }
}

/* Every file that was cut off is refused or, for CSV at a line end, holds fewer runs. */
static void test_cut_off_files(void **state)
{
    (void)state;
    struct results results;
    struct text json = {0};
    struct error error = {0};
    fill(&results, 3);
    assert_int_equal(results_write_json(&results, &json, &error), 0);
    for (size_t length = 0; length + 1 < json.length; length++) {
        struct results back;
        char *cut = malloc(length + 1);
        memcpy(cut, json.data, length);
        assert_int_equal(results_parse_json(&back, cut, length, "r.json", &error), ERROR_INPUT);
        free(cut);
    }
    text_free(&json);
    results_free(&results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_derive),
        cmocka_unit_test(test_json_reads_back_exactly),
        cmocka_unit_test(test_csv_reads_back_exactly),
        cmocka_unit_test(test_json_document),
        cmocka_unit_test(test_csv_form),
        cmocka_unit_test(test_texts_that_are_not_utf8_do_not_cost_the_file),
        cmocka_unit_test(test_python_suite_files),
        cmocka_unit_test(test_cells_are_made_per_series),
        cmocka_unit_test(test_json_that_is_refused),
        cmocka_unit_test(test_csv_that_is_taken),
        cmocka_unit_test(test_csv_that_is_refused),
        cmocka_unit_test(test_cut_off_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
