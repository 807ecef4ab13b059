internal import Logging
internal import Transport

/// The listeners with TLS. As in lal one that cannot be opened is an error in the log, and the rest is served.
package enum SecureListeners {
    /// One that the configuration switches on.
    struct Wanted: Sendable {
        /// The switch: `rtmp.rtmps_enable`.
        let key: String
        let address: ListenAddress
        let certificateFile: String
        let keyFile: String

        func certificate(logger: Logger) throws(TLSFault) -> TLSCertificate {
            try TLSCertificate(certificateFile: certificateFile, keyFile: keyFile) { [key] event in
                switch event {
                case .renewed: logger.notice("\(key): the renewed certificate is in use")
                case .refused(let fault): logger.error("\(key): the changed certificate is of no use: \(fault)")
                }
            }
        }
    }

    static func rtmps(_ configuration: GatewayConfiguration) -> Wanted? {
        let section = configuration.rtmp
        guard section.rtmpsEnable else { return nil }
        return Wanted(
            key: "rtmp.rtmps_enable",
            address: section.rtmpsAddr,
            certificateFile: section.rtmpsCertFile,
            keyFile: section.rtmpsKeyFile
        )
    }

    static func rtsps(_ configuration: GatewayConfiguration) -> Wanted? {
        let section = configuration.rtsp
        guard section.rtspsEnable else { return nil }
        return Wanted(
            key: "rtsp.rtsps_enable",
            address: section.rtspsAddr,
            certificateFile: section.rtspsCertFile,
            keyFile: section.rtspsKeyFile
        )
    }

    /// Of each address; the certificate is that of the first form of streams that is served there.
    static func https(_ configuration: GatewayConfiguration) -> [(wanted: Wanted, services: [HTTPService])] {
        HTTPService.secureListeners(configuration).compactMap { listener in
            guard let first = listener.services.first else { return nil }
            let wanted = Wanted(
                key: first.secureKey,
                address: listener.address,
                certificateFile: first.certificateFile,
                keyFile: first.keyFile
            )
            return (wanted, listener.services)
        }
    }

    /// What would go wrong with certificates at a start, for `gbgate check`. Reads their files.
    package static func problems(_ configuration: GatewayConfiguration) -> [ConfigurationProblem] {
        let all = [rtmps(configuration), rtsps(configuration)].compactMap(\.self) + https(configuration).map(\.wanted)
        return all.compactMap { wanted in
            do throws(TLSFault) {
                _ = try TLSCertificate(certificateFile: wanted.certificateFile, keyFile: wanted.keyFile)
                return nil
            } catch {
                return .warning(wanted.key, "not served: \(error)")
            }
        }
    }
}
