/* A worker that stands on libgearman, compiled against the headers of Debian's. Its functions are those of worker.pl.
   usage: worker PORT */

#include <libgearman/gearman.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const void *workload(gearman_job_st *job)
{
  return gearman_job_workload(job);
}

static gearman_return_t complete(gearman_job_st *job, const char *text)
{
  return gearman_job_send_complete(job, text, strlen(text));
}

/* The workload as the path of a file. */
static void path_of(gearman_job_st *job, char path[4096])
{
  snprintf(path, 4096, "%.*s", (int)gearman_job_workload_size(job), (const char *)workload(job));
}

/* The first version of functions: what it returns is freed by the library. */
static void *echo(gearman_job_st *job, void *context, size_t *result_size, gearman_return_t *ret_ptr)
{
  (void)context;
  *result_size = gearman_job_workload_size(job);
  *ret_ptr = GEARMAN_SUCCESS;
  void *result = malloc(*result_size + 1);
  memcpy(result, workload(job) ? workload(job) : "", *result_size);
  return result;
}

static gearman_return_t count(gearman_job_st *job, void *context)
{
  char text[32];
  (void)context;
  snprintf(text, sizeof(text), "%zu", gearman_job_workload_size(job));
  return complete(job, text);
}

static gearman_return_t content(gearman_job_st *job, void *context)
{
  char path[4096];
  (void)context;
  path_of(job, path);
  FILE *file = fopen(path, "rb");
  if (file == NULL)
    return GEARMAN_FATAL;
  fseek(file, 0, SEEK_END);
  size_t size = (size_t)ftell(file);
  rewind(file);
  char *all = malloc(size);
  size = fread(all, 1, size, file);
  fclose(file);
  gearman_return_t rc = gearman_job_send_complete(job, all, size);
  free(all);
  return rc;
}

static gearman_return_t log_it(gearman_job_st *job, void *context)
{
  (void)context;
  printf("log %.*s\n", (int)gearman_job_workload_size(job), (const char *)workload(job));
  fflush(stdout);
  return complete(job, "logged");
}

static gearman_return_t empty(gearman_job_st *job, void *context)
{
  (void)job;
  (void)context;
  return GEARMAN_SUCCESS;
}

static gearman_return_t data(gearman_job_st *job, void *context)
{
  (void)context;
  gearman_job_send_data(job, "one,", 4);
  gearman_job_send_data(job, "two,", 4);
  return complete(job, "three");
}

static gearman_return_t warning(gearman_job_st *job, void *context)
{
  (void)context;
  gearman_job_send_warning(job, "careful", 7);
  return complete(job, "done");
}

static gearman_return_t progress(gearman_job_st *job, void *context)
{
  (void)context;
  gearman_job_send_status(job, 1, 4);
  gearman_job_send_status(job, 2, 4);
  return complete(job, "done");
}

static gearman_return_t fail(gearman_job_st *job, void *context)
{
  (void)job;
  (void)context;
  return GEARMAN_FATAL;
}

static gearman_return_t exception(gearman_job_st *job, void *context)
{
  (void)context;
  return gearman_job_send_exception(job, "boom", 4);
}

static gearman_return_t hold(gearman_job_st *job, void *context)
{
  char path[4096];
  (void)context;
  path_of(job, path);
  gearman_job_send_status(job, 1, 4);
  /* The test makes the file; nothing tells of it. */
  while (access(path, F_OK) != 0)
    usleep(5000);
  return complete(job, "released");
}

int main(int argc, char **argv)
{
  static const struct {
    const char *name;
    gearman_function_fn *function;
  } functions[] = {
    { "count", count }, { "content", content }, { "log", log_it },       { "empty", empty },
    { "data", data },   { "warning", warning }, { "progress", progress }, { "fail", fail },
    { "hold", hold },   { "exception", exception },
  };
  gearman_worker_st worker;
  if (argc != 2 || gearman_worker_create(&worker) == NULL)
    return EXIT_FAILURE;
  gearman_worker_add_server(&worker, "127.0.0.1", (in_port_t)atoi(argv[1]));
  gearman_worker_add_function(&worker, "echo", 0, echo, NULL);
  for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
    gearman_function_t function = gearman_function_create(functions[i].function);
    gearman_worker_define_function(&worker, functions[i].name, strlen(functions[i].name), function, 0, NULL);
  }
  /* While the server is away every call fails at once. */
  while (true)
    if (gearman_worker_work(&worker) == GEARMAN_COULD_NOT_CONNECT)
      usleep(50000);
}
