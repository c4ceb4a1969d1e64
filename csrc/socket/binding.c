/* binding.c - channel binding: bytes that only the two ends of one TLS connection know; a man in
 * the middle, who has two connections, does not (RFC 5056). */
#include "tls.h"

/* Reads the binding of TLS 1.3 (RFC 9266). */
static bool read_exporter(SSL *ssl, struct tls_binding *b)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    b->type = "tls-exporter";
    b->len = 32;
    return SSL_export_keying_material(ssl, b->data, b->len, label, sizeof label - 1,
                                      (const unsigned char *)"", 0, 1) == 1;
}

/* Reads the first Finished message (RFC 5929 3), which is the server's where the session was
 * resumed. It belongs to one connection only with the extended master secret (RFC 7627). */
static bool read_unique(SSL *ssl, struct tls_binding *b)
{
    bool ours = (SSL_session_reused(ssl) == 1) == (SSL_is_server(ssl) == 1);
    b->type = "tls-unique";
    if (SSL_get_extms_support(ssl) != 1) return false;
    b->len = ours ? SSL_get_finished(ssl, b->data, sizeof b->data)
                  : SSL_get_peer_finished(ssl, b->data, sizeof b->data);
    return b->len > 0 && b->len <= sizeof b->data;
}

/* Returns the hash of the certificate's signature; SHA-256 in the place of those that are broken.
 */
static const EVP_MD *end_point_hash(const X509 *certificate)
{
    int hash = NID_undef; /* RSA-PSS has it among its parameters */
    if (X509_get_signature_info((X509 *)certificate, &hash, NULL, NULL, NULL) != 1) return NULL;
    if (hash == NID_md5 || hash == NID_sha1) return EVP_sha256();
    return EVP_get_digestbynid(hash); /* none for Ed25519: it has no binding of this type */
}

/* Hashes the server's certificate (RFC 5929 4). */
static bool read_end_point(SSL *ssl, struct tls_binding *b)
{
    unsigned int len = 0;
    X509 *shown = SSL_is_server(ssl) ? NULL : SSL_get1_peer_certificate(ssl);
    const X509 *certificate = SSL_is_server(ssl) ? SSL_get_certificate(ssl) : shown;
    const EVP_MD *md = certificate != NULL ? end_point_hash(certificate) : NULL;
    bool made = md != NULL && X509_digest(certificate, md, b->data, &len) == 1;
    b->type = "tls-server-end-point";
    b->len = len;
    X509_free(shown);
    return made;
}

bool tls_bind(const struct smtp_socket *s, struct tls_binding *b)
{
    SSL *ssl = tls_connection(s);
    if (ssl == NULL) return false;
    if (SSL_version(ssl) >= TLS1_3_VERSION) return read_exporter(ssl, b);
    return read_unique(ssl, b) || read_end_point(ssl, b);
}
