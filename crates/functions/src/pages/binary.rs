//! Trino's page `binary`.

mod encode;
mod hash;
mod spooky;

pub(crate) use hash::xxh64;

use crate::columns::{Scalar, Type};
use crate::{Doc, Functions};

use Type::{Bigint, Double, Integer, Real, Varbinary, Varchar};

/// The functions of this page. Those that strings have too (`length`, `substr`, `lpad`, …) are on that page.
pub(crate) fn functions() -> Functions {
    let by = Scalar::by;
    let scalars = vec![
        by("to_hex", &[(&[Varbinary], Varchar)], encode::to_hex),
        by("from_hex", &[(&[Varchar], Varbinary), (&[Varbinary], Varbinary)], encode::from_hex),
        by("to_base64", &[(&[Varbinary], Varchar)], encode::to_base64),
        by("from_base64", &[(&[Varchar], Varbinary), (&[Varbinary], Varbinary)], encode::from_base64),
        by("to_base64url", &[(&[Varbinary], Varchar)], encode::to_base64url),
        by("from_base64url", &[(&[Varchar], Varbinary), (&[Varbinary], Varbinary)], encode::from_base64url),
        by("to_base32", &[(&[Varbinary], Varchar)], encode::to_base32),
        by("from_base32", &[(&[Varchar], Varbinary), (&[Varbinary], Varbinary)], encode::from_base32),
        by("to_big_endian_32", &[(&[Integer], Varbinary)], encode::to_big_endian_32),
        by("to_big_endian_64", &[(&[Bigint], Varbinary)], encode::to_big_endian_64),
        by("from_big_endian_32", &[(&[Varbinary], Integer)], encode::from_big_endian_32),
        by("from_big_endian_64", &[(&[Varbinary], Bigint)], encode::from_big_endian_64),
        by("to_ieee754_32", &[(&[Real], Varbinary)], encode::to_ieee754_32),
        by("to_ieee754_64", &[(&[Double], Varbinary)], encode::to_ieee754_64),
        by("from_ieee754_32", &[(&[Varbinary], Real)], encode::from_ieee754_32),
        by("from_ieee754_64", &[(&[Varbinary], Double)], encode::from_ieee754_64),
        by("md5", &[(&[Varbinary], Varbinary)], hash::md5),
        by("sha1", &[(&[Varbinary], Varbinary)], hash::sha1),
        by("sha256", &[(&[Varbinary], Varbinary)], hash::sha256),
        by("sha512", &[(&[Varbinary], Varbinary)], hash::sha512),
        by("hmac_md5", &[(&[Varbinary, Varbinary], Varbinary)], hash::hmac_md5),
        by("hmac_sha1", &[(&[Varbinary, Varbinary], Varbinary)], hash::hmac_sha1),
        by("hmac_sha256", &[(&[Varbinary, Varbinary], Varbinary)], hash::hmac_sha256),
        by("hmac_sha512", &[(&[Varbinary, Varbinary], Varbinary)], hash::hmac_sha512),
        by("crc32", &[(&[Varbinary], Bigint)], hash::crc32),
        by("xxhash64", &[(&[Varbinary], Varbinary)], hash::xxhash64),
        by("spooky_hash_v2_32", &[(&[Varbinary], Varbinary)], hash::spooky_hash_v2_32),
        by("spooky_hash_v2_64", &[(&[Varbinary], Varbinary)], hash::spooky_hash_v2_64),
        by("murmur3", &[(&[Varbinary], Varbinary)], hash::murmur3),
    ];
    Functions { scalars: scalars.into_iter().map(Into::into).collect(), docs: DOCS, ..Functions::default() }
}

const DOCS: &[Doc] = &[
    doc("crc32", "crc32(varbinary) -> bigint", "crc32(to_utf8('hi')) = 3633523372"),
    doc("from_base32", "from_base32(varchar) -> varbinary", "from_base32('NBUQ====') = X'6869'"),
    doc("from_base64", "from_base64(varchar) -> varbinary", "from_base64('aGk=') = X'6869'"),
    doc("from_base64url", "from_base64url(varchar) -> varbinary", "from_base64url('-_8=') = X'FBFF'"),
    doc("from_big_endian_32", "from_big_endian_32(varbinary) -> integer", "from_big_endian_32(X'00000001') = 1"),
    doc("from_big_endian_64", "from_big_endian_64(varbinary) -> bigint", "from_big_endian_64(X'0000000000000001') = 1"),
    doc("from_hex", "from_hex(varchar) -> varbinary", "from_hex('6869') = X'6869'"),
    doc("from_ieee754_32", "from_ieee754_32(varbinary) -> real", "from_ieee754_32(X'3F800000') = REAL '1.0'"),
    doc("from_ieee754_64", "from_ieee754_64(varbinary) -> double", "from_ieee754_64(X'3FF0000000000000') = 1E0"),
    doc("hmac_md5", "hmac_md5(varbinary, key) -> varbinary", "length(hmac_md5(X'6869', X'6B')) = 16"),
    doc("hmac_sha1", "hmac_sha1(varbinary, key) -> varbinary", "length(hmac_sha1(X'6869', X'6B')) = 20"),
    doc("hmac_sha256", "hmac_sha256(varbinary, key) -> varbinary", "length(hmac_sha256(X'6869', X'6B')) = 32"),
    doc("hmac_sha512", "hmac_sha512(varbinary, key) -> varbinary", "length(hmac_sha512(X'6869', X'6B')) = 64"),
    doc("md5", "md5(varbinary) -> varbinary", "to_hex(md5(X'')) = 'D41D8CD98F00B204E9800998ECF8427E'"),
    doc("murmur3", "murmur3(varbinary) -> varbinary", "length(murmur3(X'6869')) = 16"),
    doc("sha1", "sha1(varbinary) -> varbinary", "to_hex(sha1(X'')) = 'DA39A3EE5E6B4B0D3255BFEF95601890AFD80709'"),
    doc("sha256", "sha256(varbinary) -> varbinary", "length(sha256(X'6869')) = 32"),
    doc("sha512", "sha512(varbinary) -> varbinary", "length(sha512(X'6869')) = 64"),
    doc("spooky_hash_v2_32", "spooky_hash_v2_32(varbinary) -> varbinary", "spooky_hash_v2_32(X'') = X'6BF50919'"),
    doc(
        "spooky_hash_v2_64",
        "spooky_hash_v2_64(varbinary) -> varbinary",
        "spooky_hash_v2_64(X'') = X'232706FC6BF50919'",
    ),
    doc("to_base32", "to_base32(varbinary) -> varchar", "to_base32(X'6869') = 'NBUQ===='"),
    doc("to_base64", "to_base64(varbinary) -> varchar", "to_base64(X'6869') = 'aGk='"),
    doc("to_base64url", "to_base64url(varbinary) -> varchar", "to_base64url(X'FBFF') = '-_8='"),
    doc("to_big_endian_32", "to_big_endian_32(integer) -> varbinary", "to_big_endian_32(1) = X'00000001'"),
    doc("to_big_endian_64", "to_big_endian_64(bigint) -> varbinary", "to_big_endian_64(1) = X'0000000000000001'"),
    doc("to_hex", "to_hex(varbinary) -> varchar", "to_hex(to_utf8('hi')) = '6869'"),
    doc("to_ieee754_32", "to_ieee754_32(real) -> varbinary", "to_ieee754_32(REAL '1.0') = X'3F800000'"),
    doc("to_ieee754_64", "to_ieee754_64(double) -> varbinary", "to_ieee754_64(1E0) = X'3FF0000000000000'"),
    doc("xxhash64", "xxhash64(varbinary) -> varbinary", "length(xxhash64(X'6869')) = 8"),
];

const fn doc(name: &'static str, signature: &'static str, example: &'static str) -> Doc {
    Doc { name, page: "binary", signature, example }
}
