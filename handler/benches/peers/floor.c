/* The minimum of the benchmark: the least that a process can do. It makes a given number of requests without TLS to a directory, on
   a kept connection, and returns the event unchanged. It reads no JSON. */

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char answer[65536];

static int dial(const char *address) {
    char host[64];
    struct sockaddr_in to = {.sin_family = AF_INET};
    const char *colon = strchr(address, ':');
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    to.sin_port = htons(atoi(colon + 1));
    inet_pton(AF_INET, host, &to.sin_addr);
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) exit(1);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* Sends a request and reads the response; returns a pointer to the body. */
static char *ask(int fd, const char *method, const char *path, const char *body, size_t *length) {
    static char request[65536];
    size_t size = strlen(body), sent, have = 0;
    char *end;
    sent = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nhost: x\r\ncontent-length: %zu\r\n\r\n", method, path, size);
    memcpy(request + sent, body, size);
    if (write(fd, request, sent + size) < 0) exit(1);
    for (;;) {
        ssize_t got = read(fd, answer + have, sizeof answer - 1 - have);
        if (got <= 0) exit(0);
        have += got;
        answer[have] = 0;
        end = strstr(answer, "\r\n\r\n");
        if (!end) continue;
        *length = strtoul(strstr(answer, "content-length:") + 15, NULL, 10);
        if (have >= (size_t)(end + 4 - answer) + *length) return end + 4;
    }
}

int main(void) {
    static char event[65536];
    int runtime = dial(getenv("AWS_LAMBDA_RUNTIME_API"));
    int directory = dial(strstr(getenv("DIRECTORY_URL"), "//") + 2);
    int requests = atoi(getenv("REQUESTS"));
    for (;;) {
        size_t length, ignored;
        char *body = ask(runtime, "GET", "/2018-06-01/runtime/invocation/next", "", &length);
        memcpy(event, body, length);
        event[length] = 0;
        for (int i = 0; i < requests; i++)
            ask(directory, "POST", "/verify_credentials", "{\"email\":\"ann@example.com\",\"password\":\"x\"}", &ignored);
        ask(runtime, "POST", "/2018-06-01/runtime/invocation/1/response", event, &ignored);
    }
}
