package import NIOCore

/// What the operator decides about the SIP side.
package struct SignallingConfiguration: Sendable {
    /// Our 20-digit ID.
    package var platformID: String
    /// Realm of the digest and host of our From.
    package var domain: String
    /// Password of every device without one of its own; empty: such devices need none.
    package var password = ""
    /// Devices known beforehand, by ID.
    package var provisioned: [String: ProvisionedDevice] = [:]
    /// Refuse devices that are not provisioned.
    package var onlyProvisioned = false
    /// Refuse IDs that are not 20 digits.
    package var strictDeviceID = false
    /// Our address as devices reach it; nil: the local address of the flow.
    package var announceHost: String?
    package var announcePort: Int?
    package var userAgent = "gbgate"
    /// What a REGISTER without lifetime gets, and the bounds of what is granted, in seconds.
    package var defaultExpires = 3600
    package var minimumExpires = 60
    package var maximumExpires = 604_800
    /// Tell devices the time (2.4). A wrong clock here makes every camera's clock wrong.
    package var sendsDate = true
    /// Challenge with `qop=auth`. The oldest firmware does not know it.
    package var digestQOP = false
    /// Silence after which a device is offline; devices that keep alive more rarely get three of their intervals.
    package var keepaliveTimeout: TimeAmount = .seconds(180)
    /// Wait for a final answer to INVITE without and after a 1xx.
    package var inviteTimeout: TimeAmount = .seconds(10)
    package var ringingTimeout: TimeAmount = .seconds(30)
    /// Distance of routine Catalog queries; zero: only after registration and on request.
    package var catalogQueryInterval: TimeAmount = .seconds(3600)
    /// How long media outlives a broken TCP connection: some cameras reconnect and go on.
    package var reconnectGrace: TimeAmount = .seconds(10)
    package var maximumDevices = 50_000
    package var maximumSessions = 10_000
    /// REGISTERs a minute of one device beyond which the last 200 is repeated (R-52).
    package var registrationsPerMinute = 10

    package init(platformID: String, domain: String? = nil) {
        self.platformID = platformID
        self.domain = domain ?? platformID
    }
}

/// A device that the operator configured. Its password is never printed.
package struct ProvisionedDevice: Equatable, Sendable, CustomStringConvertible {
    package var name: String
    /// Nil: the global one.
    package var password: String?
    /// How it reads our XML; nil: as it writes its own.
    package var charset: Charset?
    /// Our address as this device reaches it.
    package var announceHost: String?

    package init(name: String = "", password: String? = nil, charset: Charset? = nil, announceHost: String? = nil) {
        self.name = name
        self.password = password
        self.charset = charset
        self.announceHost = announceHost
    }

    package var description: String { "ProvisionedDevice(\(name), password \(password == nil ? "none" : "hidden"))" }
}
