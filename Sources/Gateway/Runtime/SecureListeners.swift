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

    static func https(_ configuration: GatewayConfiguration) -> Wanted? {
        guard configuration.httpflv.enableHttps else { return nil }
        let files = configuration.flvCertificate
        return Wanted(
            key: "httpflv.enable_https",
            address: configuration.flvSecureAddress,
            certificateFile: files.certificate,
            keyFile: files.key
        )
    }

    /// What would go wrong with certificates at a start, for `gbgate check`. Reads their files.
    package static func problems(_ configuration: GatewayConfiguration) -> [ConfigurationProblem] {
        [rtmps(configuration), rtsps(configuration), https(configuration)].compactMap { wanted in
            guard let wanted else { return nil }
            do throws(TLSFault) {
                _ = try TLSCertificate(certificateFile: wanted.certificateFile, keyFile: wanted.keyFile)
                return nil
            } catch {
                return .warning(wanted.key, "not served: \(error)")
            }
        }
    }
}
