/* Puts the results of the pieces of a job together. */

#pragma once

#include <libgearman-1.0/interface/task.h>
#include <libgearman-1.0/result.h>
#include <libgearman-1.0/return.h>

typedef struct gearman_aggregator_st gearman_aggregator_st;

/* Gets the first task, whose successors gearman_next() gives, and stores into `result`. */
typedef gearman_return_t(gearman_aggregator_fn)(gearman_aggregator_st *aggregator, gearman_task_st *task,
                                                gearman_result_st *result);
