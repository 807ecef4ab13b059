/// What a device tells the platform: sent by simulated cameras, and by us as a lower platform.
package enum ManscdpReport: Hashable, Sendable {
    case keepalive(Keepalive)
    /// One part of a catalog; `sumNum` nil is sent as the number of items here.
    case catalog(CatalogPart)
    case deviceInfo(DeviceInfo)
    case deviceStatus(DeviceStatus)
    case mediaStatus(MediaStatus)
    /// `Result OK`, or ERROR: the whole answer to many commands, to Alarm among them (9.4).
    case result(cmdType: String, sn: Int, deviceID: String, isOK: Bool)

    package func encoded(charset: Charset = .gb2312) -> [UInt8] {
        var writer = XMLWriter(charset: charset)
        switch self {
        case .keepalive(let keepalive):
            writer.body("Notify", "Keepalive", keepalive.sn, keepalive.deviceID) { writer in
                writer.element("Status", keepalive.isOK ? "OK" : "ERROR")
                guard !keepalive.faultyIDs.isEmpty else { return }
                writer.element("Info") { writer in
                    for id in keepalive.faultyIDs { writer.element("DeviceID", id) }
                }
            }
        case .catalog(let part):
            writer.body("Response", "Catalog", part.sn, part.deviceID) { writer in
                writer.element("SumNum", part.sumNum ?? part.items.count)
                writer.element("DeviceList", num: part.items.count) { writer in
                    for item in part.items { writer.item(item) }
                }
            }
        case .deviceInfo(let info):
            writer.body("Response", "DeviceInfo", info.sn, info.deviceID) { writer in
                writer.element("DeviceName", info.name)
                writer.element("Result", info.isOK ? "OK" : "ERROR")
                writer.element("Manufacturer", info.manufacturer)
                writer.element("Model", info.model)
                writer.element("Firmware", info.firmware)
                if let count = info.channelCount { writer.element("Channel", count) }
            }
        case .deviceStatus(let status):
            writer.body("Response", "DeviceStatus", status.sn, status.deviceID) { writer in
                writer.element("Result", status.isOK ? "OK" : "ERROR")
                writer.element("Online", status.isOnline ? "ONLINE" : "OFFLINE")
                writer.element("Status", status.isHealthy ? "OK" : "ERROR")
                if !status.reason.isEmpty { writer.element("Reason", status.reason) }
                if let isEncoding = status.isEncoding { writer.element("Encode", isEncoding ? "ON" : "OFF") }
                if let isRecording = status.isRecording { writer.element("Record", isRecording ? "ON" : "OFF") }
                if !status.deviceTime.isEmpty { writer.element("DeviceTime", status.deviceTime) }
            }
        case .mediaStatus(let status):
            writer.body("Notify", "MediaStatus", status.sn, status.deviceID) { writer in
                writer.element("NotifyType", status.notifyType)
            }
        case .result(let cmdType, let sn, let deviceID, let isOK):
            writer.body("Response", cmdType, sn, deviceID) { writer in
                writer.element("Result", isOK ? "OK" : "ERROR")
            }
        }
        return writer.encoded
    }
}

extension XMLWriter {
    fileprivate mutating func body(
        _ root: String,
        _ cmdType: String,
        _ sn: Int,
        _ deviceID: String,
        content: (inout XMLWriter) -> Void
    ) {
        element(root) { writer in
            writer.element("CmdType", cmdType)
            writer.element("SN", sn)
            writer.element("DeviceID", deviceID)
            content(&writer)
        }
    }

    fileprivate mutating func item(_ item: CatalogItem) {
        element("Item") { writer in
            writer.element("DeviceID", item.deviceID)
            if let event = item.event { writer.element("Event", event.rawValue) }
            writer.element("Name", item.name)
            writer.element("Manufacturer", item.manufacturer)
            writer.element("Model", item.model)
            writer.element("CivilCode", item.civilCode)
            writer.element("Address", item.address)
            writer.element("Parental", item.hasChildren ? 1 : 0)
            if !item.parentIDs.isEmpty { writer.element("ParentID", item.parentIDs.joined(separator: "/")) }
            if !item.businessGroupID.isEmpty { writer.element("BusinessGroupID", item.businessGroupID) }
            writer.element("Status", item.isOnline ? "ON" : "OFF")
            if let longitude = item.longitude { writer.element("Longitude", "\(longitude)") }
            if let latitude = item.latitude { writer.element("Latitude", "\(latitude)") }
            for field in item.extras { writer.element(field.name, field.value) }
            if let ptzType = item.ptzType {
                writer.element("Info") { $0.element("PTZType", ptzType) }
            }
        }
    }
}
