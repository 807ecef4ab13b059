import Crypto

/// Keyed hashes and the one unkeyed hash that protocols outside of digest authentication ask for.
package enum HMACSHA256 {
    package static let length = 32

    package static func code(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: key)))
    }
}

/// SHA-1 as RFC 6455 section 4.2.2 uses it: a proof of having understood, not of who one is.
package enum SHA1 {
    package static func hash(_ message: [UInt8]) -> [UInt8] {
        Array(Insecure.SHA1.hash(data: message))
    }
}
