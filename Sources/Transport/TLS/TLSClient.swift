package import NIOCore

#if TLS
import NIOSSL
#endif

/// TLS on connections of ours to other servers.
package enum TLSClient {
    #if TLS
    /// Puts TLS in front of a connection's handlers: on its event loop, before any other handler is added. The handshake begins
    /// when the channel becomes active; a failure arrives in `errorCaught`, where `fault(_:host:)` puts it into words.
    /// - Parameters:
    ///   - host: of the URL: for SNI, which an address has none of, and to compare the certificate's names with.
    ///   - verifiesCertificates: against the system's authorities; else any certificate is taken.
    package static func add(
        to channel: any Channel,
        host: String,
        verifiesCertificates: Bool
    ) throws(TLSFault) {
        let context = try (verifiesCertificates ? verifying : trusting).get()
        do {
            let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
            let handler = try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
            try channel.pipeline.syncOperations.addHandler(handler)
        } catch {
            throw TLSFault("TLS with \(host): \(error)")
        }
    }

    /// An error of a channel as a fault, nil when it has nothing to do with TLS.
    package static func fault(_ error: any Error, host: String) -> TLSFault? {
        switch error {
        case let error as TLSFault: error
        case NIOSSLError.handshakeFailed(let cause): TLSFault("TLS handshake with \(host) failed: \(cause)")
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            TLSFault("the certificate of \(host) is for another name")
        case let error where error is NIOSSLError || error is NIOSSLExtraError || error is BoringSSLError:
            TLSFault("TLS with \(host): \(error)")
        default: nil
        }
    }

    // Made once: it reads the system's authorities, some 20 ms.
    private static let verifying = context(.fullVerification)
    private static let trusting = context(.none)

    private static func context(_ verification: CertificateVerification) -> Result<NIOSSLContext, TLSFault> {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.certificateVerification = verification
        do {
            return .success(try NIOSSLContext(configuration: configuration))
        } catch {
            return .failure(TLSFault("cannot load the certificate authorities of this system: \(error)"))
        }
    }
    #else
    package static func add(
        to channel: any Channel,
        host: String,
        verifiesCertificates: Bool
    ) throws(TLSFault) {
        throw .leftOut
    }

    package static func fault(_ error: any Error, host: String) -> TLSFault? { error as? TLSFault }
    #endif
}
