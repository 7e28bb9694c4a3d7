/* server PORT MODEL.so: classifies photographs over HTTP; a JPEG is posted, JSON comes back.
 *
 * SIGHUP takes MODEL.so as it is then; runs that are going on end with the model that they began with. SIGTERM takes no more
 * connections, answers what has begun, and ends. */
#define _POSIX_C_SOURCE 200809L
#include "decode.h"
#include "model.h"

#include "resnetcc_image.h"
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS = 4, BODY_LIMIT = 8 << 20, SECONDS = 10 };

typedef struct Request {
  size_t size;
  uint8_t body[BODY_LIMIT];
} Request;

/* Requests that have begun and not ended. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t none_open = PTHREAD_COND_INITIALIZER;
static int open_requests;

static void count(int change) {
  pthread_mutex_lock(&lock);
  open_requests += change;
  if (open_requests == 0) pthread_cond_signal(&none_open);
  pthread_mutex_unlock(&lock);
}

/* `text` is from malloc. */
static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, char *text) {
  if (!text) return MHD_NO;
  struct MHD_Response *r = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
  if (!r) return free(text), MHD_NO;
  MHD_add_response_header(r, "Content-Type", "application/json");
  enum MHD_Result result = MHD_queue_response(c, status, r);
  MHD_destroy_response(r);
  return result;
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status, const char *why) {
  char text[200];
  snprintf(text, sizeof text, "{\"error\": \"%s\"}\n", why);
  return answer(c, status, strdup(text));
}

static void print_string(FILE *f, const char *s) {
  putc('"', f);
  for (; *s; s++)
    if ((unsigned char)*s < ' ')
      fprintf(f, "\\u%04x", (unsigned)*s);
    else
      fprintf(f, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
  putc('"', f);
}

static char *print_classes(const Model *m, const int32_t *class, const float *score) {
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  if (!f) return NULL;
  fputs("{\"classes\": [", f);
  for (int i = 0; i < m->top; i++) {
    fprintf(f, "%s{\"class\": %d, \"label\": ", i ? ", " : "", class[i]);
    print_string(f, m->labels[class[i]]);
    fprintf(f, ", \"score\": %.4f}", score[i]);
  }
  fputs("]}\n", f);
  return fclose(f) ? (free(text), NULL) : text;
}

/* With model and workspace for this run alone. */
static enum MHD_Result run(struct MHD_Connection *c, const Model *m, void *work, const Picture *p) {
  int32_t class[TOP_LIMIT];
  float score[TOP_LIMIT];
  uint8_t *frame = malloc((size_t)m->width * (size_t)m->height * 3);
  const void *inputs[] = {frame};
  void *outputs[] = {class, score};
  int short_side = (m->width < m->height ? m->width : m->height) * 8 / 7;
  int error = frame ? rcc_image_fit(p->rgb, p->width, p->height, 3 * (size_t)p->width, frame, m->width, m->height,
                                    RCC_IMAGE_CROP, short_side)
                    : RCC_IMAGE_ERR_MEMORY;
  if (!error) error = m->net->run(inputs, outputs, 1, work, m->workspace_size, NULL);
  free(frame);
  return error ? refuse(c, 500, "the model did not run") : answer(c, 200, print_classes(m, class, score));
}

static enum MHD_Result classify(struct MHD_Connection *c, const Request *r) {
  Picture p;
  const char *why = decode_jpeg(r->body, r->size, &p);
  if (why) return refuse(c, 400, why);
  void *work;
  Model *m = model_take(&work);
  enum MHD_Result result = run(c, m, work, &p);
  model_give(m, work);
  free(p.rgb);
  return result;
}

/* Called first without data, then for every piece of the body, then for its end. What is refused in the first call is not
 * even sent by clients that ask before (Expect: 100-continue). */
static enum MHD_Result handle(void *unused, struct MHD_Connection *c, const char *path, const char *method, const char *version,
                              const char *data, size_t *size, void **state) {
  (void)unused, (void)version;
  Request *r = *state;
  if (!r) {
    const char *length = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");
    if (strcmp(path, "/") != 0) return refuse(c, 404, "photographs are posted to /");
    if (strcmp(method, "POST") != 0) return refuse(c, 405, "POST a JPEG");
    if (length && strtoull(length, NULL, 10) > BODY_LIMIT) return refuse(c, 413, "more than 8 MB");
    if (!(*state = r = malloc(sizeof *r))) return refuse(c, 503, "out of memory");
    r->size = 0;
    count(1);
    return MHD_YES;
  }
  if (*size == 0) return classify(c, r);
  if (*size > BODY_LIMIT - r->size) return MHD_NO; /* a body without a length: ends the connection */
  memcpy(r->body + r->size, data, *size);
  r->size += *size;
  *size = 0;
  return MHD_YES;
}

static void completed(void *unused, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why) {
  (void)unused, (void)c, (void)why;
  if (!*state) return;
  free(*state);
  *state = NULL;
  count(-1);
}

static void drain(struct MHD_Daemon *daemon) {
  MHD_socket listening = MHD_quiesce_daemon(daemon);
  if (listening != MHD_INVALID_SOCKET) close(listening);
  pthread_mutex_lock(&lock);
  while (open_requests > 0) pthread_cond_wait(&none_open, &lock);
  pthread_mutex_unlock(&lock);
  MHD_stop_daemon(daemon);
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: server PORT MODEL.so\n"), 1;
  const char *why = model_load(argv[2], WORKERS);
  if (why) return fprintf(stderr, "%s: %s\n", argv[2], why), 1;
  sigset_t signals; /* blocked in all threads, those of the daemon too: main waits for them */
  sigemptyset(&signals);
  sigaddset(&signals, SIGHUP);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, NULL);
  struct MHD_Daemon *daemon =
      MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG, (uint16_t)atoi(argv[1]), NULL, NULL,
                       handle, NULL, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)WORKERS, MHD_OPTION_CONNECTION_TIMEOUT,
                       (unsigned)SECONDS, MHD_OPTION_CONNECTION_LIMIT, 256u, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
                       MHD_OPTION_END);
  if (!daemon) return fprintf(stderr, "no server on port %s\n", argv[1]), 1;
  printf("port %d\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
  fflush(stdout);
  for (int signal; sigwait(&signals, &signal) == 0 && signal == SIGHUP;) {
    why = model_load(argv[2], WORKERS);
    fprintf(stderr, "%s: %s\n", argv[2], why ? why : "loaded");
  }
  drain(daemon);
  model_unload();
}
