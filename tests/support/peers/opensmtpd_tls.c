/* Loaded into Debian 12's OpenSMTPD 6.8.0, which was written for OpenSSL 1.1 and with 3.0 fails in every TLS handshake.
 * Its process without the private key marks the key that a certificate has; OpenSSL 3.0 gives it a copy to mark. Here
 * the copy becomes the key. OpenSMTPD 7.3 has the same in its sources. */
#define _GNU_SOURCE
#define OPENSSL_SUPPRESS_DEPRECATED
#include <dlfcn.h>
#include <openssl/evp.h>

RSA *EVP_PKEY_get1_RSA(EVP_PKEY *pkey) {
  RSA *(*original)(EVP_PKEY *) = (RSA * (*)(EVP_PKEY *)) dlsym(RTLD_NEXT, "EVP_PKEY_get1_RSA");
  RSA *key = original(pkey);
  if (key != NULL) EVP_PKEY_set1_RSA(pkey, key);
  return key;
}
