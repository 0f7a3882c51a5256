/* Options, levels and states. */

#pragma once

#include <libgearman-1.0/priority.h>
#include <libgearman-1.0/return.h>

/* Bits for gearman_client_set_options() and its kin. */
typedef enum gearman_client_options_t {
  GEARMAN_CLIENT_ALLOCATED = 1,
  GEARMAN_CLIENT_NON_BLOCKING = 2,
  GEARMAN_CLIENT_TASK_IN_USE = 4,
  GEARMAN_CLIENT_UNBUFFERED_RESULT = 8,
  GEARMAN_CLIENT_NO_NEW = 16,
  GEARMAN_CLIENT_FREE_TASKS = 32,
  GEARMAN_CLIENT_GENERATE_UNIQUE = 64,
  GEARMAN_CLIENT_EXCEPTION = 128,
  GEARMAN_CLIENT_SSL = 256,
  GEARMAN_CLIENT_MAX = 512,
  GEARMAN_CLIENT_STOP_WAIT_ON_SIGNAL = 1024
} gearman_client_options_t;

/* Bits for gearman_worker_set_options() and its kin. */
typedef enum gearman_worker_options_t {
  GEARMAN_WORKER_ALLOCATED = 1,
  GEARMAN_WORKER_NON_BLOCKING = 2,
  GEARMAN_WORKER_PACKET_INIT = 4,
  GEARMAN_WORKER_GRAB_JOB_IN_USE = 8,
  GEARMAN_WORKER_PRE_SLEEP_IN_USE = 16,
  GEARMAN_WORKER_WORK_JOB_IN_USE = 32,
  GEARMAN_WORKER_CHANGE = 64,
  GEARMAN_WORKER_GRAB_UNIQ = 128,
  GEARMAN_WORKER_TIMEOUT_RETURN = 256,
  GEARMAN_WORKER_GRAB_ALL = 512,
  GEARMAN_WORKER_SSL = 1024,
  GEARMAN_WORKER_IDENTIFIER = 2048,
  GEARMAN_WORKER_MAX = 4096,
  GEARMAN_WORKER_STOP_WAIT_ON_SIGNAL = 8192
} gearman_worker_options_t;

/* How much a log function is told: its level and those below. */
typedef enum gearman_verbose_t {
  GEARMAN_VERBOSE_NEVER = 0,
  GEARMAN_VERBOSE_FATAL = 1,
  GEARMAN_VERBOSE_ERROR = 2,
  GEARMAN_VERBOSE_INFO = 3,
  GEARMAN_VERBOSE_DEBUG = 4,
  GEARMAN_VERBOSE_CRAZY = 5,
  GEARMAN_VERBOSE_MAX = 6
} gearman_verbose_t;

/* How far a task has come; see gearman_task_strstate(). */
typedef enum gearman_task_state_t {
  GEARMAN_TASK_STATE_NEW = 0,
  GEARMAN_TASK_STATE_SUBMIT = 1,
  GEARMAN_TASK_STATE_WORKLOAD = 2,
  GEARMAN_TASK_STATE_WORK = 3,
  GEARMAN_TASK_STATE_CREATED = 4,
  GEARMAN_TASK_STATE_DATA = 5,
  GEARMAN_TASK_STATE_WARNING = 6,
  GEARMAN_TASK_STATE_STATUS = 7,
  GEARMAN_TASK_STATE_COMPLETE = 8,
  GEARMAN_TASK_STATE_EXCEPTION = 9,
  GEARMAN_TASK_STATE_FAIL = 10,
  GEARMAN_TASK_STATE_FINISHED = 11
} gearman_task_state_t;

/* No function takes or gives one. */
typedef enum gearman_task_kind_t {
  GEARMAN_TASK_KIND_ADD_TASK = 0,
  GEARMAN_TASK_KIND_EXECUTE = 1,
  GEARMAN_TASK_KIND_DO = 2
} gearman_task_kind_t;

/* No function takes or gives one. */
typedef enum gearman_universal_options_t {
  GEARMAN_NON_BLOCKING = 0,
  GEARMAN_DONT_TRACK_PACKETS = 1,
  GEARMAN_MAX = 2
} gearman_universal_options_t;

/* No function takes or gives one. */
typedef enum gearman_client_t {
  GEARMAN_CLIENT_STATE_IDLE = 0,
  GEARMAN_CLIENT_STATE_NEW = 1,
  GEARMAN_CLIENT_STATE_SUBMIT = 2,
  GEARMAN_CLIENT_STATE_PACKET = 3
} gearman_client_t;

/* No function takes or gives one. */
typedef enum gearman_worker_state_t {
  GEARMAN_WORKER_STATE_START = 0,
  GEARMAN_WORKER_STATE_FUNCTION_SEND = 1,
  GEARMAN_WORKER_STATE_CONNECT = 2,
  GEARMAN_WORKER_STATE_GRAB_JOB_SEND = 3,
  GEARMAN_WORKER_STATE_GRAB_JOB_RECV = 4,
  GEARMAN_WORKER_STATE_PRE_SLEEP = 5
} gearman_worker_state_t;

/* No function takes or gives one. */
typedef enum gearman_worker_universal_t {
  GEARMAN_WORKER_WORK_UNIVERSAL_GRAB_JOB = 0,
  GEARMAN_WORKER_WORK_UNIVERSAL_FUNCTION = 1,
  GEARMAN_WORKER_WORK_UNIVERSAL_COMPLETE = 2,
  GEARMAN_WORKER_WORK_UNIVERSAL_FAIL = 3
} gearman_worker_universal_t;
