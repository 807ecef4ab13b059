#if TLS
import NIOSSL

/// A certificate chain with its key, ready for connections.
struct TLSKeyPair: Sendable {
    let context: NIOSSLContext
    /// Seconds since 1970.
    let notAfter: Int64

    static func stamp(certificateFile: String, keyFile: String) -> [TLSFile.Stamp]? {
        guard let certificate = TLSFile.stamp(certificateFile), let key = TLSFile.stamp(keyFile) else { return nil }
        return [certificate, key]
    }

    /// Reads both files: blocks.
    static func read(
        certificateFile: String,
        keyFile: String
    ) throws(TLSFault) -> (pair: TLSKeyPair, stamp: [TLSFile.Stamp]) {
        let (chainBytes, chainStamp) = try TLSFile.read(certificateFile, "certificate")
        let (keyBytes, keyStamp) = try TLSFile.read(keyFile, "key")
        let chain: [NIOSSLCertificate]
        do {
            chain = try NIOSSLCertificate.fromPEMBytes(chainBytes)
        } catch {
            throw TLSFault("the certificate file \(certificateFile) is no PEM file with certificates")
        }
        guard let leaf = chain.first else {
            throw TLSFault("the certificate file \(certificateFile) has no certificate")
        }
        let key: NIOSSLPrivateKey
        do {
            key = try NIOSSLPrivateKey(bytes: keyBytes, format: .pem)
        } catch {
            throw TLSFault("the key file \(keyFile) is no PEM file with a key that is not encrypted")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(key)
        )
        configuration.minimumTLSVersion = .tlsv12
        do {
            let context = try NIOSSLContext(configuration: configuration)
            return (TLSKeyPair(context: context, notAfter: Int64(leaf.notValidAfter)), [chainStamp, keyStamp])
        } catch {
            throw TLSFault("the key file \(keyFile) is not of the first certificate in \(certificateFile)")
        }
    }
}
#endif
