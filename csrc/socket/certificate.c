/* certificate.c - the peer's certificate: its key, and its names and dates for a person. */
#include "tls.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

bool certificate_key(X509 *certificate, unsigned char digest[TLS_PIN_LEN])
{
    unsigned char *der = NULL;
    unsigned int len = 0;
    if (certificate == NULL) return false;
    int der_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    bool made =
        der_len > 0 && EVP_Digest(der, (size_t)der_len, digest, &len, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    return made;
}

static void put(char *out, size_t out_max, const char *data, size_t len)
{
    size_t kept = len < out_max ? len : out_max - 1;
    memcpy(out, data, kept);
    out[kept] = '\0';
}

void certificate_distinguished(const X509_NAME *name, char *out, size_t out_max)
{
    char *data = NULL;
    BIO *text = BIO_new(BIO_s_mem());
    out[0] = '\0';
    if (text == NULL) return;
    if (X509_NAME_print_ex(text, name, 0, XN_FLAG_RFC2253) >= 0) {
        long len = BIO_get_mem_data(text, &data);
        if (len > 0) put(out, out_max, data, (size_t)len);
    }
    BIO_free(text);
}

/* Writes a DNS name or an address as text. Returns false where it is something else. */
static bool read_name(const GENERAL_NAME *name, char *out, size_t out_max)
{
    if (name->type != GEN_DNS && name->type != GEN_IPADD) return false;
    const ASN1_STRING *string = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
    const unsigned char *data = ASN1_STRING_get0_data(string);
    size_t len = (size_t)ASN1_STRING_length(string);
    if (name->type == GEN_IPADD)
        return (len == 4 || len == 16) &&
               inet_ntop(len == 4 ? AF_INET : AF_INET6, data, out, (socklen_t)out_max) != NULL;
    put(out, out_max, (const char *)data, len);
    for (size_t i = 0; i < len && i < out_max - 1; i++)
        if (data[i] <= ' ' || data[i] >= 0x7F) out[i] = '?';
    return len > 0;
}

int certificate_names(const X509 *x509, const char *separator, char *out, size_t out_max)
{
    char name[SOCKET_NAME_LEN_MAX];
    int left_out = 0;
    size_t len = 0, separator_len = strlen(separator);
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
    out[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        if (!read_name(sk_GENERAL_NAME_value(names, i), name, sizeof name)) continue;
        size_t name_len = strlen(name);
        if (left_out > 0 || len + separator_len + name_len + 1 > out_max) {
            left_out++;
            continue;
        }
        if (len > 0) put(out + len, out_max - len, separator, separator_len);
        if (len > 0) len += separator_len;
        put(out + len, out_max - len, name, name_len);
        len += name_len;
    }
    GENERAL_NAMES_free(names);
    return left_out;
}

int64_t certificate_seconds(const ASN1_TIME *time)
{
    int days = 0, rest = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    bool read = epoch != NULL && ASN1_TIME_diff(&days, &rest, epoch, time) == 1;
    ASN1_TIME_free(epoch);
    return read ? (int64_t)days * 86400 + rest : 0;
}

int64_t certificate_first_end(const STACK_OF(X509) * chain)
{
    int64_t first = INT64_MAX;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        int64_t end = certificate_seconds(X509_get0_notAfter(sk_X509_value(chain, i)));
        if (end < first) first = end;
    }
    return first;
}
