/* States of a connection. No function takes or gives one. */

#pragma once

/* Options. */
typedef enum gearman_connection_options_t {
  GEARMAN_CON_READY = 0,
  GEARMAN_CON_PACKET_IN_USE = 1,
  GEARMAN_CON_EXTERNAL_FD = 2,
  GEARMAN_CON_IGNORE_LOST_CONNECTION = 3,
  GEARMAN_CON_CLOSE_AFTER_FLUSH = 4,
  GEARMAN_CON_MAX = 5
} gearman_connection_options_t;

/* Reading. */
typedef enum gearman_con_recv_t {
  GEARMAN_CON_RECV_UNIVERSAL_NONE = 0,
  GEARMAN_CON_RECV_UNIVERSAL_READ = 1,
  GEARMAN_CON_RECV_STATE_READ_DATA = 2
} gearman_con_recv_t;

/* Writing. */
typedef enum gearman_con_send_t {
  GEARMAN_CON_SEND_STATE_NONE = 0,
  GEARMAN_CON_SEND_UNIVERSAL_PRE_FLUSH = 1,
  GEARMAN_CON_SEND_UNIVERSAL_FORCE_FLUSH = 2,
  GEARMAN_CON_SEND_UNIVERSAL_FLUSH = 3,
  GEARMAN_CON_SEND_UNIVERSAL_FLUSH_DATA = 4
} gearman_con_send_t;

/* Connecting. */
typedef enum gearman_con_universal_t {
  GEARMAN_CON_UNIVERSAL_ADDRINFO = 0,
  GEARMAN_CON_UNIVERSAL_CONNECT = 1,
  GEARMAN_CON_UNIVERSAL_CONNECTING = 2,
  GEARMAN_CON_UNIVERSAL_CONNECTED = 3
} gearman_con_universal_t;
