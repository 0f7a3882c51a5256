/* The name of a job at its server. */

#pragma once

#include <libgearman-1.0/limits.h>

/* A text that ends with a NUL. */
typedef char gearman_job_handle_t[GEARMAN_JOB_HANDLE_SIZE];
