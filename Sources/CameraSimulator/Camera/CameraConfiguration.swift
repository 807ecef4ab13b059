package import GB28181

/// One simulated camera or NVR, as `devices/simulated/*.json` describes it.
package struct CameraConfiguration: Hashable, Sendable {
    package var id: String
    package var name: String
    /// Empty answers a challenge with an empty password, as a camera without one set does.
    package var password: String
    package var manufacturer: String
    package var model: String
    /// `X-GB-Ver`: 2.0 is GB/T 28181-2016, 3.0 is 2022.
    package var protocolVersion: String
    package var channels: [Channel]
    /// How its signalling travels. Media goes as the platform's INVITE asks.
    package var transport: Transport
    package var charset: Charset
    /// Seconds.
    package var expires: Int
    package var keepaliveInterval: Int

    package enum Transport: String, Hashable, Sendable, Codable {
        case udp
        case tcp
    }

    package struct Channel: Hashable, Sendable {
        package var id: String
        package var name: String
        /// Path of the video file to stream; nil answers INVITE with 480.
        package var clip: String?
        /// Its sub stream; nil: there is none, and the main stream comes whatever is asked for.
        package var subClip: String?

        package init(id: String, name: String, clip: String? = nil, subClip: String? = nil) {
            self.id = id
            self.name = name
            self.clip = clip
            self.subClip = subClip
        }
    }

    package init(
        id: String,
        name: String,
        password: String = "",
        manufacturer: String = "gbgate",
        model: String = "Simulated camera",
        protocolVersion: String = "2.0",
        channels: [Channel],
        transport: Transport = .udp,
        charset: Charset = .gb2312,
        expires: Int = 3600,
        keepaliveInterval: Int = 60
    ) {
        self.id = id
        self.name = name
        self.password = password
        self.manufacturer = manufacturer
        self.model = model
        self.protocolVersion = protocolVersion
        self.channels = channels
        self.transport = transport
        self.charset = charset
        self.expires = expires
        self.keepaliveInterval = keepaliveInterval
    }

    /// A camera of a crowd: numbered IDs and names, one channel.
    package static func numbered(
        _ index: Int,
        password: String = "",
        clip: String? = nil,
        transport: Transport = .udp,
        keepaliveInterval: Int = 60
    ) -> CameraConfiguration {
        let digits = String(index % 1_000_000)
        let serial = String(repeating: "0", count: 6 - digits.utf8.count) + digits
        let device = "34020000001320\(serial)"
        return CameraConfiguration(
            id: device,
            name: "模拟摄像机 \(index)",
            password: password,
            channels: [Channel(id: "34020000001310\(serial)", name: "通道 \(index)", clip: clip)],
            transport: transport,
            keepaliveInterval: keepaliveInterval
        )
    }
}

/// The platform that simulated cameras register to.
package struct PlatformConfiguration: Hashable, Sendable {
    package var id: String
    package var host: String
    package var port: Int
    /// Cameras have it typed in; nil is the first ten digits of `id`.
    package var domain: String

    package init(id: String, host: String, port: Int = 5060, domain: String? = nil) {
        self.id = id
        self.host = host
        self.port = port
        self.domain = domain ?? GBID(id).domain
    }
}
