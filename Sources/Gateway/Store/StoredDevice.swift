internal import GRDB

/// What the gateway must know about a device after a restart to reach it again.
package struct StoredDevice: Codable, Hashable, Sendable {
    package var id: String
    package var name = ""
    package var manufacturer = ""
    package var model = ""
    package var firmware = ""
    package var userAgent = ""
    /// `X-GB-Ver`; empty when it sent none.
    package var gbVersion = ""
    /// Of its XML, as detected.
    package var charset = ""
    /// `udp` or `tcp`.
    package var transport = ""
    /// `ip:port` of its flow, as last seen.
    package var remoteAddress = ""
    /// The URI of its Contact.
    package var contact = ""
    package var isOnline = false
    /// Unix milliseconds, as the others; 0 = never.
    package var registeredAt: Int64 = 0
    package var expiresAt: Int64 = 0
    package var keepaliveAt: Int64 = 0
    package var catalogAt: Int64 = 0
    package var isCatalogComplete = true

    package init(id: String) {
        self.id = id
    }
}

/// One item of a device's catalog.
package struct StoredChannel: Codable, Hashable, Sendable {
    package var deviceID: String
    package var id: String
    package var name = ""
    package var manufacturer = ""
    package var model = ""
    package var parentID = ""
    package var civilCode = ""
    package var address = ""
    /// The catalog's Status: ON is true.
    package var isOnline = true
    package var isParental = false
    /// 0 unknown, else the standard's PTZType.
    package var ptzType = 0
    /// `0/1`; empty where the catalog has none.
    package var streamNumberList = ""
    package var longitude: Double?
    package var latitude: Double?

    package init(deviceID: String, id: String) {
        self.deviceID = deviceID
        self.id = id
    }
}

/// An open SIP dialog: enough to send its BYE after a crash.
package struct StoredDialog: Codable, Hashable, Sendable {
    package var callID: String
    package var localTag: String
    package var remoteTag = ""
    /// The last CSeq that we sent; a BYE uses the next.
    package var localCSeq = 1
    package var localURI = ""
    package var remoteURI = ""
    /// The Contact of the camera's answer: where the BYE goes.
    package var remoteTarget = ""
    /// The Route headers, in order.
    package var routes: [String] = []
    /// `udp` or `tcp`.
    package var transport = ""
    /// `ip:port` of the flow.
    package var remoteAddress = ""
    package var deviceID = ""
    package var channelID = ""
    package var streamName = ""
    package var ssrc = ""
    /// Unix milliseconds.
    package var startedAt: Int64 = 0

    package init(callID: String, localTag: String) {
        self.callID = callID
        self.localTag = localTag
    }
}

/// Everything that a start finds.
package struct StoredState: Hashable, Sendable {
    package var devices: [StoredDevice] = []
    package var channels: [StoredChannel] = []
    package var dialogs: [StoredDialog] = []

    package init() {}
}

extension StoredDevice: FetchableRecord, PersistableRecord {
    package static let databaseTableName = "device"
}

extension StoredChannel: FetchableRecord, PersistableRecord {
    package static let databaseTableName = "channel"
}

extension StoredDialog: FetchableRecord, PersistableRecord {
    package static let databaseTableName = "dialog"
}
