// Load for the service's socket: callers that each ask one thing at a time, as fast as they are answered.
//
// usage: load exports SOCKET CALLERS SECONDS TENANT…   export.start, then export.wait until the job is final
//        load get SOCKET CALLERS SECONDS TENANT JOB     export.get of one job
//
// Actors are owner@TENANT.example, as demo-data makes them. Prints one line of JSON: how many were done, how many in a second,
// and the latencies' median, 99th percentile and maximum in milliseconds. What fails is counted, and ends the caller.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { line_size = 1 << 16, most_latencies = 1 << 20 };

struct caller {
    pthread_t thread;
    const char *tenant, *job;
    int peer, failed;
    size_t count, filled;
    double *latencies;
    char line[line_size];
};

static const char *path;
static int gets;
static double end;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

// Sends a request and reads the reply into the caller's line; 0 where that fails or the reply is an error.
static int ask(struct caller *caller, const char *request, int length) {
    if (send(caller->peer, request, length, MSG_NOSIGNAL) != length) return 0;
    caller->filled = 0;
    for (;;) {
        ssize_t got = recv(caller->peer, caller->line + caller->filled, line_size - 1 - caller->filled, 0);
        if (got <= 0) return 0;
        caller->filled += got;
        if (caller->line[caller->filled - 1] == '\n') break;
        if (caller->filled == line_size - 1) return 0;
    }
    caller->line[caller->filled] = 0;
    return strstr(caller->line, "\"result\"") != NULL;
}

// The job's field of that name, as it stands in the reply.
static const char *field(struct caller *caller, const char *name) {
    char key[64];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *job = strstr(caller->line, "\"job\":{");
    const char *at = job ? strstr(job, key) : NULL;
    return at ? at + strlen(key) : "";
}

static int is_final(struct caller *caller) {
    const char *state = field(caller, "state");
    return strncmp(state, "\"queued", 7) && strncmp(state, "\"running", 8);
}

static int export(struct caller *caller) {
    char request[1024], job[64];
    int length = snprintf(request, sizeof request,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"export.start\",\"params\":{\"actor\":{\"tenant\":\"%s\","
        "\"administrator\":\"owner@%s.example\"}}}\n", caller->tenant, caller->tenant);
    if (!ask(caller, request, length)) return 0;
    if (sscanf(field(caller, "id"), "\"%63[^\"]", job) != 1) return 0;
    while (!is_final(caller)) {
        length = snprintf(request, sizeof request,
            "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"export.wait\",\"params\":{\"actor\":{\"tenant\":\"%s\","
            "\"administrator\":\"owner@%s.example\"},\"job\":\"%s\",\"afterRevision\":%ld,\"timeoutMs\":60000}}\n",
            caller->tenant, caller->tenant, job, atol(field(caller, "revision")));
        if (!ask(caller, request, length)) return 0;
    }
    return strncmp(field(caller, "state"), "\"succeeded", 10) == 0;
}

static int get(struct caller *caller) {
    char request[1024];
    int length = snprintf(request, sizeof request,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"export.get\",\"params\":{\"actor\":{\"tenant\":\"%s\","
        "\"administrator\":\"owner@%s.example\"},\"job\":\"%s\"}}\n", caller->tenant, caller->tenant, caller->job);
    return ask(caller, request, length) && strncmp(field(caller, "id") + 1, caller->job, strlen(caller->job)) == 0;
}

static void *run(void *argument) {
    struct caller *caller = argument;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    caller->peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = 70};
    setsockopt(caller->peer, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(caller->peer, (struct sockaddr *)&address, sizeof address)) {
        fprintf(stderr, "load: %s: %s\n", path, strerror(errno));
        caller->failed = 1;
        return NULL;
    }
    while (now() < end && caller->count < most_latencies) {
        double start = now();
        if (!(gets ? get(caller) : export(caller))) {
            fprintf(stderr, "load: unexpected reply: %s\n", caller->filled ? caller->line : "none");
            caller->failed = 1;
            break;
        }
        caller->latencies[caller->count++] = (now() - start) * 1e3;
    }
    close(caller->peer);
    return NULL;
}

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

int main(int count, char **words) {
    if (count < 6 || (strcmp(words[1], "exports") && strcmp(words[1], "get"))) {
        fprintf(stderr, "usage: load exports SOCKET CALLERS SECONDS TENANT… | load get SOCKET CALLERS SECONDS TENANT JOB\n");
        return 2;
    }
    gets = !strcmp(words[1], "get");
    path = words[2];
    int callers = atoi(words[3]);
    double start = now(), seconds = atof(words[4]);
    end = start + seconds;
    struct caller *all = calloc(callers, sizeof *all);
    for (int i = 0; i < callers; i++) {
        all[i].tenant = gets ? words[5] : words[5 + i % (count - 5)];
        all[i].job = gets && count > 6 ? words[6] : "";
        all[i].latencies = malloc(most_latencies * sizeof(double));
        pthread_create(&all[i].thread, NULL, run, &all[i]);
    }
    size_t total = 0;
    int failed = 0;
    for (int i = 0; i < callers; i++) {
        pthread_join(all[i].thread, NULL);
        total += all[i].count;
        failed += all[i].failed;
    }
    double taken = now() - start;
    double *latencies = malloc((total + 1) * sizeof(double));
    size_t at = 0;
    for (int i = 0; i < callers; i++) {
        memcpy(latencies + at, all[i].latencies, all[i].count * sizeof(double));
        at += all[i].count;
    }
    latencies[total] = 0;
    if (total) qsort(latencies, total, sizeof(double), compare);
    printf("{\"done\": %zu, \"failed\": %d, \"perSecond\": %.1f, \"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f}\n", total, failed,
           total / taken, latencies[total / 2], latencies[total * 99 / 100], latencies[total ? total - 1 : 0]);
    return failed ? 1 : 0;
}
