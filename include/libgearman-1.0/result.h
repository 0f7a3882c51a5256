/* The result of a task of gearman_execute(). */

#pragma once

typedef struct gearman_result_st gearman_result_st;
