/// Why TLS cannot be had: says which file or host, and what is wrong. Never holds a secret.
package struct TLSFault: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) {
        self.description = description
    }

    static let leftOut = TLSFault(
        "this build has no TLS: it was made without the package trait TLS (build with the default traits)"
    )
}
