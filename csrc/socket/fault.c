/* fault.c - what is wrong with a certificate: the word for programs, and words for a person. */
#include "tls.h"

#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <time.h>

enum { NAME_ROOM = 100, DATE_ROOM = 16 };

const char *certificate_word(long result)
{
    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return "certificate:expired";
    case X509_V_ERR_CERT_NOT_YET_VALID: return "certificate:not_yet_valid";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return "certificate:wrong_host";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return "certificate:self_signed";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: return "certificate:unknown_issuer:root";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: return "certificate:unknown_issuer";
    case X509_V_ERR_OUT_OF_MEM: return "system";
    case X509_V_ERR_INVALID_PURPOSE: return "certificate:bad_purpose";
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK: return "certificate:weak";
    default: return "certificate:untrusted";
    }
}

/* The common name, or else the unit or the organization, in printable ASCII. */
static void read_short_name(const X509_NAME *name, char out[NAME_ROOM])
{
    static const int fields[] = {NID_commonName, NID_organizationalUnitName, NID_organizationName};
    int len = -1;
    for (size_t i = 0; len <= 0 && i < sizeof fields / sizeof *fields; i++)
        len = X509_NAME_get_text_by_NID(name, fields[i], out, NAME_ROOM);
    if (len <= 0) memcpy(out, "?", 2);
    for (int i = 0; i < len && i < NAME_ROOM - 1; i++)
        if (out[i] < ' ' || out[i] > '~' || out[i] == '"') out[i] = '?';
}

static void read_date(const ASN1_TIME *time, char out[DATE_ROOM])
{
    struct tm date;
    if (ASN1_TIME_to_tm(time, &date) != 1 || strftime(out, DATE_ROOM, "%Y-%m-%d", &date) == 0)
        memcpy(out, "?", 2);
}

static void read_today(char out[DATE_ROOM])
{
    ASN1_TIME *now = ASN1_TIME_set(NULL, time(NULL));
    read_date(now, out);
    ASN1_TIME_free(now);
}

/* "it", or "its CA "Example CA"". */
static void read_subject(X509 *x509, int depth, char *out, size_t out_max)
{
    char name[NAME_ROOM];
    read_short_name(X509_get_subject_name(x509), name);
    if (depth == 0)
        snprintf(out, out_max, "it");
    else
        snprintf(out, out_max, "its CA \"%s\"", name);
}

static void say_dates(long result, X509 *x509, const char *subject, char *out, size_t out_max)
{
    bool expired = result == X509_V_ERR_CERT_HAS_EXPIRED;
    char date[DATE_ROOM], today[DATE_ROOM];
    read_date(expired ? X509_get0_notAfter(x509) : X509_get0_notBefore(x509), date);
    read_today(today);
    snprintf(out, out_max, "%s %s %s, and this machine's clock says %s", subject,
             expired ? "ended on" : "begins on", date, today);
}

static void say_names(const X509 *x509, char *out, size_t out_max)
{
    char more[32] = "", names[SOCKET_NAME_LEN_MAX + 2];
    int left_out = certificate_names(x509, ", ", names, sizeof names);
    if (left_out > 0) snprintf(more, sizeof more, " and %d more", left_out);
    if (names[0] == '\0')
        snprintf(out, out_max,
                 "it names no host at all (no DNS name or address in a subjectAltName)");
    else
        snprintf(out, out_max, "it is for %s%s", names, more);
}

static void say_key(X509 *x509, const char *subject, char *out, size_t out_max)
{
    EVP_PKEY *key = X509_get0_pubkey(x509);
    const char *type = key != NULL ? EVP_PKEY_get0_type_name(key) : NULL;
    snprintf(out, out_max, "%s has a key that is too short (%s, %d bits)", subject,
             type != NULL ? type : "?", key != NULL ? EVP_PKEY_get_bits(key) : 0);
}

static void say_digest(X509 *x509, const char *subject, char *out, size_t out_max)
{
    int digest = NID_undef; /* RSA-PSS has it among its parameters */
    const char *name = NULL;
    if (X509_get_signature_info(x509, &digest, NULL, NULL, NULL) == 1 && digest != NID_undef)
        name = OBJ_nid2sn(digest);
    if (digest == NID_sha1) name = "SHA-1";
    snprintf(out, out_max, "%s is signed with %s, which is not safe any more", subject,
             name != NULL ? name : "a weak algorithm");
}

static void say_issuer(X509 *x509, char *out, size_t out_max)
{
    char issuer[NAME_ROOM];
    read_short_name(X509_get_issuer_name(x509), issuer);
    snprintf(out, out_max,
             "neither the server nor this machine has the certificate of its issuer \"%s\"",
             issuer);
}

static void say_root(X509 *x509, char *out, size_t out_max)
{
    char issuer[NAME_ROOM];
    read_short_name(X509_get_issuer_name(x509), issuer);
    snprintf(out, out_max, "its chain ends in the CA \"%s\", which this machine does not trust",
             issuer);
}

void certificate_fault(long result, int depth, X509 *x509, char *out, size_t out_max)
{
    char subject[NAME_ROOM + 16];
    read_subject(x509, depth, subject, sizeof subject);
    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID: say_dates(result, x509, subject, out, out_max); break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: say_names(x509, out, out_max); break;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL: say_key(x509, subject, out, out_max); break;
    case X509_V_ERR_CA_MD_TOO_WEAK: say_digest(x509, subject, out, out_max); break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: say_root(x509, out, out_max); break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: say_issuer(x509, out, out_max); break;
    case X509_V_ERR_INVALID_PURPOSE:
        snprintf(out, out_max, "%s is not for servers", subject);
        break;
    default: snprintf(out, out_max, "%s", X509_verify_cert_error_string(result));
    }
}
