/* How urgent a job is. */

#pragma once

/* NORMAL is the default. */
typedef enum gearman_job_priority_t {
  GEARMAN_JOB_PRIORITY_HIGH = 0,
  GEARMAN_JOB_PRIORITY_NORMAL = 1,
  GEARMAN_JOB_PRIORITY_LOW = 2,
  GEARMAN_JOB_PRIORITY_MAX = 3
} gearman_job_priority_t;
