/* What the test programs stand on: checks that end the program, and a worker on a thread of its own. */

#pragma once

#include <libgearman/gearman.h>

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK(condition)                                                                            \
  do {                                                                                              \
    if (!(condition)) {                                                                             \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                               \
      _exit(1);                                                                                     \
    }                                                                                               \
  } while (0)

#define CHECK_RC(expected, call)                                                                    \
  do {                                                                                              \
    gearman_return_t rc_ = (call);                                                                  \
    if (rc_ != (expected)) {                                                                        \
      fprintf(stderr, "%s:%d: %s is %s, not %s\n", __FILE__, __LINE__, #call, gearman_strerror(rc_),  \
              gearman_strerror(expected));                                                          \
      _exit(1);                                                                                     \
    }                                                                                               \
  } while (0)

#define CHECK_TEXT(expected, text)                                                                  \
  do {                                                                                              \
    const char *text_ = (text);                                                                     \
    if (text_ == NULL || strcmp((expected), text_) != 0) {                                          \
      fprintf(stderr, "%s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, #text,                 \
              text_ == NULL ? "(null)" : text_, (expected));                                        \
      _exit(1);                                                                                     \
    }                                                                                               \
  } while (0)

#define CHECK_BYTES(expected, data, size)                                                           \
  CHECK((size) == strlen(expected) && memcmp((data), (expected), (size)) == 0)

/* No answer that is due takes so long, in milliseconds: a program that waits for it fails instead of hanging. */
#define PATIENCE 30000

/* The brokers that the test has started. */
static in_port_t first_port, second_port;

static inline void brokers(int argc, char **argv) {
  CHECK(argc == 3);
  first_port = (in_port_t)atoi(argv[1]);
  second_port = (in_port_t)atoi(argv[2]);
}

/* A port that takes connections, on which nobody ever answers. */
static inline in_port_t silent_port(void) {
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(listener >= 0 && bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 5) == 0);
  CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
  return ntohs(address.sin_port);
}

static inline gearman_client_st *new_client(void) {
  gearman_client_st *client = gearman_client_create(NULL);
  CHECK(client != NULL);
  CHECK_RC(GEARMAN_SUCCESS, gearman_client_add_server(client, "127.0.0.1", first_port));
  gearman_client_set_timeout(client, PATIENCE);
  return client;
}

static inline gearman_worker_st *new_worker(void) {
  gearman_worker_st *worker = gearman_worker_create(NULL);
  CHECK(worker != NULL);
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_server(worker, "127.0.0.1", first_port));
  return worker;
}

/* A worker that runs until it is told to end. */
typedef struct running {
  pthread_t thread;
  gearman_worker_st *worker;
} running;

static inline void *run_worker(void *context) {
  gearman_worker_st *worker = (gearman_worker_st *)context;
  while (gearman_worker_work(worker) != GEARMAN_SHUTDOWN_GRACEFUL) {
  }
  return NULL;
}

static inline void start(running *it, gearman_worker_st *worker) {
  it->worker = worker;
  CHECK(pthread_create(&it->thread, NULL, run_worker, worker) == 0);
}

static inline void stop(running *it) {
  CHECK_RC(GEARMAN_SUCCESS, gearman_kill(gearman_worker_id(it->worker), GEARMAN_INTERRUPT));
  CHECK(pthread_join(it->thread, NULL) == 0);
  gearman_worker_free(it->worker);
}

/* The functions: each does what its name says. */

static inline void *reverse(gearman_job_st *job, void *context, size_t *result_size, gearman_return_t *ret) {
  size_t size = gearman_job_workload_size(job);
  const char *workload = (const char *)gearman_job_workload(job);
  char *result = (char *)malloc(size + 1);
  (void)context;
  for (size_t at = 0; at < size; at++) {
    result[at] = workload[size - 1 - at];
  }
  *result_size = size;
  *ret = GEARMAN_SUCCESS;
  return result;
}

static inline void *fail(gearman_job_st *job, void *context, size_t *result_size, gearman_return_t *ret) {
  (void)job;
  (void)context;
  *result_size = 0;
  *ret = GEARMAN_WORK_FAIL;
  return NULL;
}

static inline gearman_return_t throw_boom(gearman_job_st *job, void *context) {
  (void)context;
  CHECK_RC(GEARMAN_SUCCESS, gearman_job_send_exception(job, "boom", 4));
  return GEARMAN_WORK_EXCEPTION;
}

/* Data, a warning, progress and the rest of the result. */
static inline gearman_return_t chatter(gearman_job_st *job, void *context) {
  (void)context;
  CHECK_RC(GEARMAN_SUCCESS, gearman_job_send_data(job, "one,", 4));
  CHECK_RC(GEARMAN_SUCCESS, gearman_job_send_warning(job, "careful", 7));
  CHECK_RC(GEARMAN_SUCCESS, gearman_job_send_status(job, 1, 4));
  CHECK_RC(GEARMAN_SUCCESS, gearman_job_send_data(job, "two,", 4));
  CHECK_RC(GEARMAN_SUCCESS, gearman_job_send_complete(job, "three", 5));
  /* The job has ended: nothing more is sent. */
  CHECK_RC(GEARMAN_SUCCESS, gearman_job_send_fail(job));
  return GEARMAN_SUCCESS;
}

/* A worker with all of them. */
static inline gearman_worker_st *able_worker(void) {
  gearman_worker_st *worker = new_worker();
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_function(worker, "reverse", 0, reverse, NULL));
  CHECK_RC(GEARMAN_SUCCESS, gearman_worker_add_function(worker, "fail", 0, fail, NULL));
  CHECK_RC(GEARMAN_SUCCESS,
           gearman_worker_define_function(worker, "throw", 5,
                                          gearman_function_create(throw_boom), 0, NULL));
  CHECK_RC(GEARMAN_SUCCESS,
           gearman_worker_define_function(worker, "chatter", 7,
                                          gearman_function_create_v2(chatter), 0, NULL));
  return worker;
}
