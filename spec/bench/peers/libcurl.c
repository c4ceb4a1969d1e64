/* libcurl.c - libcurl, its handle used again. libcurl WORKLOAD PORT COUNT FILE [CA] */
#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FROM "<ann@me.example>"
#define TO   "<bob@there.example>"

static struct {
    const char *workload, *port, *path, *ca;
    char text[65536];
    size_t text_len;
} given;

struct upload {
    size_t at;
    FILE *file;
};

static bool is(const char *workload)
{
    return strcmp(given.workload, workload) == 0;
}

static void check(CURLcode code)
{
    if (code == CURLE_OK) return;
    fprintf(stderr, "libcurl: %s\n", curl_easy_strerror(code));
    exit(1);
}

static size_t read_text(char *to, size_t size, size_t count, void *data)
{
    struct upload *u = data;
    if (u->file != NULL) return fread(to, 1, size * count, u->file);
    size_t len = given.text_len - u->at < size * count ? given.text_len - u->at : size * count;
    memcpy(to, given.text + u->at, len);
    u->at += len;
    return len;
}

static CURL *handle(struct upload *u, struct curl_slist *to)
{
    char url[128];
    CURL *curl = curl_easy_init();
    if (curl == NULL) exit(1);
    snprintf(url, sizeof url, "smtp://%s:%s/me.example", is("starttls") ? "localhost" : "127.0.0.1",
             given.port);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_MAIL_FROM, FROM);
    curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, read_text);
    curl_easy_setopt(curl, CURLOPT_READDATA, u);
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 2L * 1024 * 1024);
    curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (is("new") || is("starttls") || is("conc")) {
        curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
    }
    if (is("starttls")) {
        curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
        curl_easy_setopt(curl, CURLOPT_CAINFO, given.ca);
    }
    return curl;
}

static curl_mime *attachment(CURL *curl, struct curl_slist *headers)
{
    curl_mime *mime = curl_mime_init(curl);
    curl_mimepart *part = curl_mime_addpart(mime);
    curl_mime_data(part, "see the file", CURL_ZERO_TERMINATED);
    part = curl_mime_addpart(mime);
    check(curl_mime_filedata(part, given.path));
    check(curl_mime_encoder(part, "base64"));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_MIMEPOST, mime);
    return mime;
}

static void one_by_one(size_t count, struct curl_slist *to)
{
    struct upload u = {0, NULL};
    CURL *curl = handle(&u, to);
    struct curl_slist *headers = curl_slist_append(NULL, "From: " FROM);
    headers = curl_slist_append(headers, "To: " TO);
    for (; count > 0; count--) {
        curl_mime *mime = is("attach") ? attachment(curl, headers) : NULL;
        u.at = 0;
        u.file = is("dots") ? fopen(given.path, "rb") : NULL;
        check(curl_easy_perform(curl));
        if (u.file != NULL) fclose(u.file);
        curl_mime_free(mime);
    }
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
}

static void at_once(size_t count, struct curl_slist *to)
{
    CURLM *multi = curl_multi_init();
    struct upload *uploads = calloc(count, sizeof *uploads);
    int running = 1;
    for (size_t i = 0; i < count; i++)
        curl_multi_add_handle(multi, handle(&uploads[i], to));
    while (running > 0) {
        if (curl_multi_perform(multi, &running) != CURLM_OK) exit(1);
        if (running > 0) curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
}

int main(int argc, char **argv)
{
    if (argc < 5) return 1;
    given.workload = argv[1];
    given.port = argv[2];
    size_t count = strtoul(argv[3], NULL, 10), to_count = is("rcpts") ? count : 1;
    given.path = argv[4];
    given.ca = argv[5];
    FILE *file = fopen(given.path, "rb");
    if (file == NULL) return 1;
    given.text_len = fread(given.text, 1, sizeof given.text, file);
    fclose(file);
    curl_global_init(CURL_GLOBAL_ALL);
    struct curl_slist *to = NULL;
    for (size_t i = 1; i <= to_count; i++) {
        char address[64] = TO;
        if (is("rcpts")) snprintf(address, sizeof address, "<bob%zu@there.example>", i);
        to = curl_slist_append(to, address);
    }
    if (is("conc"))
        at_once(count, to);
    else
        one_by_one(is("rcpts") ? 1 : count, to);
    return 0;
}
