internal import GB28181
internal import NIOCore
internal import Transport

/// What the configuration says about the SIP side, in the types of the layers below.
struct SignallingSettings: Sendable {
    var core: SignallingConfiguration
    var bindHost = "0.0.0.0"
    var port: Int
    var mediaTimeout: TimeAmount
    /// Our media address for every device; empty: the address that the device reached us at.
    var mediaIP: String
    /// Overrides of provisioned devices.
    var mediaIPs: [String: String] = [:]
    var transports: [String: MediaTransportKind] = [:]
    var selections: [String: StreamSelection] = [:]

    init(_ section: GB28181Section, limits: LimitsSection, devices: [ProvisionedDevice]) {
        var core = SignallingConfiguration(platformID: section.localSipId, domain: section.domain)
        core.password = section.password.value
        core.strictDeviceID = !section.allowNonStandardDeviceId
        core.announceHost = section.localSipIp.isEmpty ? nil : section.localSipIp
        core.defaultExpires = section.expires
        core.keepaliveTimeout = .seconds(Int64(section.keepaliveTimeoutSec))
        core.inviteTimeout = .milliseconds(Int64(section.inviteTimeoutMs))
        core.catalogQueryInterval = .seconds(Int64(section.catalogQueryInterval))
        core.maximumDevices = limits.maxDevices
        core.maximumSessions = limits.maxStreams
        for device in devices {
            core.provisioned[device.id] = GB28181.ProvisionedDevice(
                name: device.name,
                password: device.password.isEmpty ? nil : device.password.value,
                charset: Charset(name: device.charset)
            )
            transports[device.id] = MediaTransportKind(rawValue: device.transport)
            selections[device.id] = StreamSelection(rawValue: device.streamSelection)
            if !device.mediaIp.isEmpty { mediaIPs[device.id] = device.mediaIp }
        }
        self.core = core
        port = section.localSipPort
        // Elsewhere the announced address may be a router's, which cannot be bound.
        if section.localSipIp.hasPrefix("127.") { bindHost = section.localSipIp }
        mediaTimeout = .milliseconds(Int64(section.mediaTimeoutMs))
        mediaIP = section.mediaIp.isEmpty ? section.localSipIp : section.mediaIp
    }

    /// The address that goes into `c=`: the device's own override, the configured one, else ours on the way to the device.
    func mediaHost(deviceID: String, remoteHost: String) -> String {
        if let own = mediaIPs[deviceID] { return own }
        if !mediaIP.isEmpty { return mediaIP }
        return SIPSocket.localAddress(towards: remoteHost, port: 5060) ?? "127.0.0.1"
    }
}
