/// A MANSCDP body (XML in MESSAGE, NOTIFY and SUBSCRIBE), understood.
package enum ManscdpMessage: Hashable, Sendable {
    case keepalive(Keepalive)
    case catalogResponse(CatalogPart)
    /// A change of the catalog: items with an event, or with a status alone.
    case catalogNotification(CatalogPart)
    case deviceInfoResponse(DeviceInfo)
    case deviceStatusResponse(DeviceStatus)
    case recordInfoResponse(RecordInfoPart)
    case alarm(Alarm)
    case mediaStatus(MediaStatus)
    /// A query to us: from an upper platform, or from the gateway to a simulated camera.
    case query(ManscdpQuery)
    /// Well-formed, and not understood: answer 200, log once per device and type.
    case unknown(root: ManscdpRoot, cmdType: String, sn: Int, deviceID: String)

    /// SN, to match an answer with its question; some devices send 0 or cut it to 32 bits.
    package var sn: Int {
        switch self {
        case .keepalive(let value): value.sn
        case .catalogResponse(let value), .catalogNotification(let value): value.sn
        case .deviceInfoResponse(let value): value.sn
        case .deviceStatusResponse(let value): value.sn
        case .recordInfoResponse(let value): value.sn
        case .alarm(let value): value.sn
        case .mediaStatus(let value): value.sn
        case .query(let value): value.sn
        case .unknown(_, _, let sn, _): sn
        }
    }

    /// The DeviceID element: the device or channel that the message is about.
    package var deviceID: String {
        switch self {
        case .keepalive(let value): value.deviceID
        case .catalogResponse(let value), .catalogNotification(let value): value.deviceID
        case .deviceInfoResponse(let value): value.deviceID
        case .deviceStatusResponse(let value): value.deviceID
        case .recordInfoResponse(let value): value.deviceID
        case .alarm(let value): value.deviceID
        case .mediaStatus(let value): value.deviceID
        case .query(let value): value.deviceID
        case .unknown(_, _, _, let deviceID): deviceID
        }
    }
}

package enum ManscdpRoot: String, Hashable, Sendable {
    case query = "Query"
    case control = "Control"
    case notify = "Notify"
    case response = "Response"
}

package enum ManscdpError: Error, Hashable, Sendable, CustomStringConvertible {
    case xml(XMLError)
    /// XML, and none of MANSCDP's four roots.
    case notManscdp(root: String)
    case missing(element: String, root: String)

    package var description: String {
        switch self {
        case .xml(.tooLarge(let bytes, let limit)): "MANSCDP body of \(bytes) bytes: the limit is \(limit)"
        case .xml(.doctypeForbidden): "MANSCDP body with a DOCTYPE: refused"
        case .xml(.noElement): "MANSCDP body without an XML element"
        case .xml(.outOfMemory): "MANSCDP body not read: libxml2 is out of memory"
        case .notManscdp(let root): "MANSCDP body begins with <\(root)>, not with Query, Control, Notify or Response"
        case .missing(let element, let root): "MANSCDP \(root) without \(element)"
        }
    }
}

package struct Keepalive: Hashable, Sendable {
    package var sn: Int
    package var deviceID: String
    /// `Status` is anything but ERROR.
    package var isOK: Bool
    /// Children that the device reports as faulty.
    package var faultyIDs: [String]

    package init(sn: Int, deviceID: String, isOK: Bool = true, faultyIDs: [String] = []) {
        self.sn = sn
        self.deviceID = deviceID
        self.isOK = isOK
        self.faultyIDs = faultyIDs
    }
}

/// One of the messages that a catalog comes in.
package struct CatalogPart: Hashable, Sendable {
    package var sn: Int
    package var deviceID: String
    /// How many items all parts have together, as the device says; nil when it does not.
    package var sumNum: Int?
    package var items: [CatalogItem]
    /// Items without a usable DeviceID, left out of `items`.
    package var unusableItems: Int
    /// Whether the body had to be repaired: something of it may be lost.
    package var isRepaired: Bool

    package init(
        sn: Int,
        deviceID: String,
        sumNum: Int?,
        items: [CatalogItem],
        unusableItems: Int = 0,
        isRepaired: Bool = false
    ) {
        self.sn = sn
        self.deviceID = deviceID
        self.sumNum = sumNum
        self.items = items
        self.unusableItems = unusableItems
        self.isRepaired = isRepaired
    }
}

package struct DeviceInfo: Hashable, Sendable {
    package var sn: Int
    package var deviceID: String
    /// `Result` is anything but ERROR. ERROR is a normal answer of devices that cannot tell.
    package var isOK: Bool
    package var name: String
    package var manufacturer: String
    package var model: String
    package var firmware: String
    /// How many channels the device says it has.
    package var channelCount: Int?

    package init(
        sn: Int,
        deviceID: String,
        isOK: Bool = true,
        name: String = "",
        manufacturer: String = "",
        model: String = "",
        firmware: String = "",
        channelCount: Int? = nil
    ) {
        self.sn = sn
        self.deviceID = deviceID
        self.isOK = isOK
        self.name = name
        self.manufacturer = manufacturer
        self.model = model
        self.firmware = firmware
        self.channelCount = channelCount
    }
}

package struct DeviceStatus: Hashable, Sendable {
    package var sn: Int
    package var deviceID: String
    package var isOK: Bool
    package var isOnline: Bool
    /// `Status` is anything but ERROR.
    package var isHealthy: Bool
    package var reason: String
    package var isEncoding: Bool?
    package var isRecording: Bool?
    /// Beijing time without a zone, as sent.
    package var deviceTime: String

    package init(
        sn: Int,
        deviceID: String,
        isOK: Bool = true,
        isOnline: Bool = true,
        isHealthy: Bool = true,
        reason: String = "",
        isEncoding: Bool? = nil,
        isRecording: Bool? = nil,
        deviceTime: String = ""
    ) {
        self.sn = sn
        self.deviceID = deviceID
        self.isOK = isOK
        self.isOnline = isOnline
        self.isHealthy = isHealthy
        self.reason = reason
        self.isEncoding = isEncoding
        self.isRecording = isRecording
        self.deviceTime = deviceTime
    }
}

/// One of the messages that a list of recordings comes in; each recording as the fields that were sent.
package struct RecordInfoPart: Hashable, Sendable {
    package var sn: Int
    package var deviceID: String
    package var sumNum: Int?
    package var records: [[CatalogItem.Field]]
}

package struct Alarm: Hashable, Sendable {
    package var sn: Int
    package var deviceID: String
    /// 1 (highest) to 4; 0 when not told.
    package var priority: Int
    /// 1 phone, 2 device, 3 SMS, 4 GPS, 5 video, 6 device fault, 7 other; 0 when not told.
    package var method: Int
    /// Meaning depends on `method` (3.8); 0 when not told.
    package var type: Int
    /// Beijing time without a zone, as sent.
    package var time: String
    package var description: String
}

package struct MediaStatus: Hashable, Sendable {
    package var sn: Int
    package var deviceID: String
    /// 121: the file has been sent, playback or download is over.
    package var notifyType: Int

    package init(sn: Int, deviceID: String, notifyType: Int) {
        self.sn = sn
        self.deviceID = deviceID
        self.notifyType = notifyType
    }
}
