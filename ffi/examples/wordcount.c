/* Words of a text counted as map/reduce: `split` makes a piece of every line, `count` counts the words of a piece, and an aggregator
 * adds the counts up. The splitter waits for the counters, so they are other processes, as many as one likes.
 *
 * usage: wordcount PORT split
 *        wordcount PORT count
 *        wordcount PORT client < text       prints every word with its number, in alphabetical order */

#include <libgearman/gearman.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 10000, LETTERS = 31 };

typedef struct counts {
  size_t size;
  struct {
    char word[LETTERS + 1];
    unsigned count;
  } list[WORDS];
} counts;

static int by_word(const void *a, const void *b)
{
  return strcmp(a, b);
}

/* Words beyond the last place, and letters beyond the last, are left out. */
static void add(counts *all, const char *word, size_t letters, unsigned count)
{
  char key[LETTERS + 1] = "";
  memcpy(key, word, letters < LETTERS ? letters : LETTERS);
  for (size_t at = 0; at < all->size; at++) {
    if (strcmp(all->list[at].word, key) == 0) {
      all->list[at].count += count;
      return;
    }
  }
  if (all->size < WORDS) {
    strcpy(all->list[all->size].word, key);
    all->list[all->size++].count = count;
  }
}

/* `word number` lines, in memory of malloc(). */
static char *print(counts *all, size_t *size)
{
  char *text = malloc(all->size * (LETTERS + 13) + 1);
  *size = 0;
  if (text == NULL)
    return NULL;
  qsort(all->list, all->size, sizeof(all->list[0]), by_word);
  for (size_t at = 0; at < all->size; at++)
    *size += (size_t)sprintf(text + *size, "%s %u\n", all->list[at].word, all->list[at].count);
  return text;
}

static gearman_return_t split(gearman_job_st *job, void *context)
{
  const char *text = gearman_job_workload(job), *end = text + gearman_job_workload_size(job);
  (void)context;
  while (text < end) {
    const char *line = memchr(text, '\n', (size_t)(end - text));
    size_t size = (size_t)((line == NULL ? end : line) - text);
    if (size > 0 && gearman_failed(gearman_job_send_data(job, text, size)))
      return GEARMAN_FATAL;
    text += size + 1;
  }
  return GEARMAN_SUCCESS;
}

static void *count(gearman_job_st *job, void *context, size_t *result_size, gearman_return_t *ret)
{
  const char *text = gearman_job_workload(job);
  size_t size = gearman_job_workload_size(job);
  counts *all = calloc(1, sizeof(*all));
  void *result = NULL;
  (void)context;
  for (size_t from = 0, at = 0; all != NULL && at <= size; at++) {
    if (at == size || !isalnum((unsigned char)text[at])) {
      if (at > from)
        add(all, text + from, at - from, 1);
      from = at + 1;
    }
  }
  if (all != NULL)
    result = print(all, result_size);
  *ret = result == NULL ? GEARMAN_WORK_FAIL : GEARMAN_SUCCESS;
  free(all);
  return result;
}

/* The results of all pieces, which gearman_next() gives one after the other, become one. */
static gearman_return_t add_up(gearman_aggregator_st *aggregator, gearman_task_st *task, gearman_result_st *result)
{
  counts *all = calloc(1, sizeof(*all));
  gearman_return_t rc = GEARMAN_WORK_FAIL;
  size_t size;
  (void)aggregator;
  if (all == NULL)
    return rc;
  for (; task != NULL; task = gearman_next(task)) {
    const char *line = gearman_result_value(gearman_task_result(task));
    while (line != NULL && *line != '\0') {
      const char *blank = strchr(line, ' ');
      add(all, line, (size_t)(blank - line), (unsigned)strtoul(blank, NULL, 10));
      line = strchr(line, '\n') + 1;
    }
  }
  char *text = print(all, &size);
  if (text != NULL)
    rc = gearman_result_store_value(result, text, size);
  free(text);
  free(all);
  return rc;
}

static int work(in_port_t port, const char *name, gearman_function_t function)
{
  gearman_worker_st *worker = gearman_worker_create(NULL);
  gearman_worker_add_server(worker, "127.0.0.1", port);
  gearman_worker_define_function(worker, name, strlen(name), function, 0, NULL);
  while (gearman_success(gearman_worker_work(worker)))
    ;
  fprintf(stderr, "%s\n", gearman_worker_error(worker));
  gearman_worker_free(worker);
  return EXIT_FAILURE;
}

static int ask(in_port_t port)
{
  static char text[1 << 20];
  size_t size = fread(text, 1, sizeof(text), stdin);
  gearman_client_st *client = gearman_client_create(NULL);
  gearman_client_add_server(client, "127.0.0.1", port);
  gearman_client_set_timeout(client, 10000);
  gearman_argument_t argument = gearman_argument_make(NULL, 0, text, size);
  gearman_task_st *task =
      gearman_execute_by_partition(client, "wordcount-split", 15, "wordcount-count", 15, NULL, 0, NULL, &argument, NULL);
  bool done = task != NULL && gearman_success(gearman_task_return(task));
  if (done)
    printf("%s", gearman_result_value(gearman_task_result(task)));
  else
    fprintf(stderr, "%s\n", gearman_client_error(client));
  gearman_client_free(client);
  return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
  in_port_t port = (in_port_t)(argc == 3 ? atoi(argv[1]) : 0);
  if (argc == 3 && strcmp(argv[2], "split") == 0)
    return work(port, "wordcount-split", gearman_function_create_partition(split, add_up));
  if (argc == 3 && strcmp(argv[2], "count") == 0)
    return work(port, "wordcount-count", gearman_function_create_v1(count));
  if (argc == 3 && strcmp(argv[2], "client") == 0)
    return ask(port);
  fprintf(stderr, "usage: wordcount PORT split | count | client\n");
  return EXIT_FAILURE;
}
