/* How gearman_execute() runs a job. */

#pragma once

#include <libgearman-1.0/priority.h>
#include <time.h>

typedef enum gearman_task_attr_kind_t {
  GEARMAN_TASK_ATTR_FOREGROUND = 0,
  GEARMAN_TASK_ATTR_BACKGROUND = 1,
  GEARMAN_TASK_ATTR_EPOCH = 2
} gearman_task_attr_kind_t;

/* Seconds since 1970. */
typedef struct gearman_task_attr_epoch_t {
  time_t value;
} gearman_task_attr_epoch_t;

/* To be made with gearman_task_attr_init() and its kin. */
typedef struct gearman_task_attr_t {
  gearman_task_attr_kind_t kind;
  gearman_job_priority_t priority;
  union {
    char bytes[sizeof(gearman_task_attr_epoch_t)];
    gearman_task_attr_epoch_t epoch;
  } options;
} gearman_task_attr_t;
