/* Workers are woken by other threads and by signal handlers. */

#include "check.h"

#include <signal.h>
#include <sys/time.h>

static void names(void) {
  gearman_id_t none = gearman_id_initialize();
  gearman_id_t given = GEARMAN_ID_INITIALIZER;
  gearman_worker_st *worker = new_worker();
  gearman_id_t id = gearman_worker_id(worker);
  CHECK(none.read_fd == -1 && none.write_fd == -1 && given.read_fd == -1);
  CHECK(!gearman_id_valid(none) && gearman_id_valid(id));
  CHECK(!gearman_id_valid(gearman_worker_id(NULL)));
  CHECK_RC(GEARMAN_SUCCESS, gearman_kill(id, GEARMAN_SIGNAL_CHECK));
  CHECK_RC(GEARMAN_COULD_NOT_CONNECT, gearman_kill(none, GEARMAN_INTERRUPT));
  gearman_worker_free(worker);
  CHECK_RC(GEARMAN_COULD_NOT_CONNECT, gearman_kill(id, GEARMAN_SIGNAL_CHECK));
  CHECK_RC(GEARMAN_COULD_NOT_CONNECT, gearman_kill(id, GEARMAN_KILL));
}

static void codes(void) {
  static const struct {
    gearman_signal_t signal;
    gearman_return_t code;
  } rows[] = {{GEARMAN_INTERRUPT, GEARMAN_SHUTDOWN_GRACEFUL},
              {GEARMAN_KILL, GEARMAN_SHUTDOWN},
              {GEARMAN_SIGNAL_KILLWAIT, GEARMAN_SHUTDOWN}};
  for (int at = 0; at < 3; at++) {
    gearman_worker_st *worker = able_worker();
    gearman_return_t rc;
    CHECK_RC(GEARMAN_SUCCESS, gearman_kill(gearman_worker_id(worker), rows[at].signal));
    /* From now on, and not once only. */
    CHECK_RC(rows[at].code, gearman_worker_work(worker));
    CHECK_RC(rows[at].code, gearman_worker_work(worker));
    CHECK(gearman_worker_grab_job(worker, NULL, &rc) == NULL);
    CHECK_RC(rows[at].code, rc);
    CHECK_RC(rows[at].code, gearman_worker_wait(worker));
    CHECK_RC(rows[at].code, gearman_worker_echo(worker, "x", 1));
    CHECK_TEXT(gearman_strerror(rows[at].code), gearman_worker_error(worker));
    gearman_worker_free(worker);
  }
  /* The harder of two signals counts. */
  gearman_worker_st *worker = able_worker();
  CHECK_RC(GEARMAN_SUCCESS, gearman_kill(gearman_worker_id(worker), GEARMAN_INTERRUPT));
  CHECK_RC(GEARMAN_SHUTDOWN_GRACEFUL, gearman_worker_work(worker));
  CHECK_RC(GEARMAN_SUCCESS, gearman_kill(gearman_worker_id(worker), GEARMAN_KILL));
  CHECK_RC(GEARMAN_SHUTDOWN, gearman_worker_wait(worker));
  gearman_worker_free(worker);
}

static void *kill_it(void *context) {
  CHECK_RC(GEARMAN_SUCCESS, gearman_kill(*(gearman_id_t *)context, GEARMAN_KILL));
  return NULL;
}

static void from_another_thread(void) {
  gearman_worker_st *worker = able_worker();
  gearman_id_t id = gearman_worker_id(worker);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, kill_it, &id) == 0);
  CHECK_RC(GEARMAN_SHUTDOWN, gearman_worker_work(worker));
  CHECK(pthread_join(thread, NULL) == 0);
  gearman_worker_free(worker);
}

static gearman_id_t alarmed;
static int alarms;

static void on_alarm(int signal) {
  (void)signal;
  if (++alarms == 2) {
    gearman_kill(alarmed, GEARMAN_INTERRUPT);
  }
}

/* A signal alone ends no wait; its handler may. */
static void from_a_handler(void) {
  gearman_worker_st *worker = able_worker();
  struct sigaction action;
  struct itimerval twice = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
  memset(&action, 0, sizeof action);
  action.sa_handler = on_alarm;
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  alarmed = gearman_worker_id(worker);
  CHECK(setitimer(ITIMER_REAL, &twice, NULL) == 0);
  CHECK_RC(GEARMAN_SHUTDOWN_GRACEFUL, gearman_worker_work(worker));
  CHECK(alarms >= 2);
  CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
  gearman_worker_free(worker);

  /* Unless it is to. */
  worker = able_worker();
  alarms = 3;
  gearman_worker_add_options(worker, (gearman_worker_options_t)GEARMAN_WORKER_STOP_WAIT_ON_SIGNAL);
  CHECK(setitimer(ITIMER_REAL, &twice, NULL) == 0);
  CHECK_RC(GEARMAN_IO_WAIT, gearman_worker_work(worker));
  CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
  gearman_worker_free(worker);
}

int main(int argc, char **argv) {
  brokers(argc, argv);
  names();
  codes();
  from_another_thread();
  from_a_handler();
  return 0;
}
