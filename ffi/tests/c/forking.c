/* Objects that are made before a fork and first used after it, in both processes; and others made after it. */

#include "check.h"

#include <sys/wait.h>

static void use(gearman_client_st *client, const char *text) {
  size_t size;
  gearman_return_t rc;
  char *result = (char *)gearman_client_do(client, "reverse", NULL, text, strlen(text), &size, &rc);
  CHECK_RC(GEARMAN_SUCCESS, rc);
  CHECK(size == strlen(text) && result[0] == text[size - 1]);
  free(result);
  gearman_client_free(client);
}

int main(int argc, char **argv) {
  gearman_client_st *client;
  gearman_worker_st *worker;
  pid_t children[3];
  brokers(argc, argv);
  client = new_client();
  worker = able_worker();

  /* A worker that was made here works there. */
  children[0] = fork();
  CHECK(children[0] >= 0);
  if (children[0] == 0) {
    gearman_client_free(client);
    for (int jobs = 0; jobs < 4; jobs++) {
      CHECK_RC(GEARMAN_SUCCESS, gearman_worker_work(worker));
    }
    gearman_worker_free(worker);
    return 0;
  }
  gearman_worker_free(worker);
  /* A client that was made here is used there and here. */
  for (int child = 1; child < 3; child++) {
    children[child] = fork();
    CHECK(children[child] >= 0);
    if (children[child] == 0) {
      use(client, "there");
      if (child == 1) {
        use(new_client(), "made there");
      }
      return 0;
    }
  }
  use(client, "here");
  for (int child = 0; child < 3; child++) {
    int status;
    CHECK(waitpid(children[child], &status, 0) == children[child]);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  return 0;
}
