extension ManscdpMessage {
    /// Reads a body in any of the charsets and states that cameras send it in (3.1).
    package static func parse(_ body: [UInt8]) throws(ManscdpError) -> ManscdpMessage {
        try ManscdpDocument.parse(body).message
    }
}

/// A message with what its bytes told of the device's habits.
package struct ManscdpDocument: Hashable, Sendable {
    package var message: ManscdpMessage
    /// The charset in which the device wrote, and so reads: for the answers to it.
    package var charset: Charset
    /// Whether the body was not well-formed, or had bytes of no charset.
    package var isRepaired: Bool

    package static func parse(_ body: [UInt8]) throws(ManscdpError) -> ManscdpDocument {
        let tree: XMLTree
        do {
            tree = try XMLTree.parse(body)
        } catch {
            throw .xml(error)
        }
        return ManscdpDocument(
            message: try message(tree),
            charset: tree.charset,
            isRepaired: tree.isRepaired
        )
    }

    private static func message(_ tree: XMLTree) throws(ManscdpError) -> ManscdpMessage {
        let body = tree.root
        let roots: [ManscdpRoot] = [.notify, .response, .query, .control]
        guard let root = roots.first(where: { $0.rawValue.matchesIgnoringCase(body.name) }) else {
            throw .notManscdp(root: String(body.name.prefix(40)))
        }
        guard let cmdType = body.text(of: "CmdType") else { throw .missing(element: "CmdType", root: root.rawValue) }
        let sn = body.number("SN") ?? 0
        let deviceID = body.text(of: "DeviceID") ?? ""
        switch (root, cmdType) {
        case (.notify, "Keepalive"): return .keepalive(Keepalive(body, sn: sn, deviceID: deviceID))
        case (.notify, "Alarm"): return .alarm(Alarm(body, sn: sn, deviceID: deviceID))
        case (.notify, "MediaStatus"):
            return .mediaStatus(
                MediaStatus(sn: sn, deviceID: deviceID, notifyType: body.number("NotifyType") ?? 0)
            )
        case (.notify, "Catalog"): return .catalogNotification(CatalogPart(tree, sn: sn, deviceID: deviceID))
        case (.response, "Catalog"): return .catalogResponse(CatalogPart(tree, sn: sn, deviceID: deviceID))
        case (.response, "DeviceInfo"): return .deviceInfoResponse(DeviceInfo(body, sn: sn, deviceID: deviceID))
        case (.response, "DeviceStatus"): return .deviceStatusResponse(DeviceStatus(body, sn: sn, deviceID: deviceID))
        case (.response, "RecordInfo"): return .recordInfoResponse(RecordInfoPart(body, sn: sn, deviceID: deviceID))
        case (.query, "Catalog"): return .query(.catalog(sn: sn, deviceID: deviceID))
        case (.query, "DeviceInfo"): return .query(.deviceInfo(sn: sn, deviceID: deviceID))
        case (.query, "DeviceStatus"): return .query(.deviceStatus(sn: sn, deviceID: deviceID))
        default:
            return .unknown(root: root, cmdType: String(cmdType.prefix(64)), sn: sn, deviceID: deviceID)
        }
    }
}

extension XMLNode {
    /// The whole number in the child of that name.
    fileprivate func number(_ name: String) -> Int? {
        text(of: name).flatMap { Int($0) }
    }

    /// Whether the child of that name says anything but ERROR; absent is no error.
    fileprivate func isNotError(_ name: String) -> Bool {
        !(text(of: name) ?? "").matchesIgnoringCase("ERROR")
    }

    fileprivate func isOn(_ name: String) -> Bool? {
        text(of: name).map { $0.matchesIgnoringCase("ON") }
    }

    /// All elements of that name at any depth, not looking inside those found: repairs may have moved items about.
    fileprivate func all(_ name: String) -> [XMLNode] {
        children.flatMap { $0.name.matchesIgnoringCase(name) ? [$0] : $0.all(name) }
    }
}

extension Keepalive {
    fileprivate init(_ body: XMLNode, sn: Int, deviceID: String) {
        self.init(
            sn: sn,
            deviceID: deviceID,
            isOK: body.isNotError("Status"),
            faultyIDs: (body.child("Info")?.all("DeviceID") ?? []).map(\.text).filter { !$0.isEmpty }
        )
    }
}

extension CatalogPart {
    fileprivate init(_ tree: XMLTree, sn: Int, deviceID: String) {
        let nodes = tree.root.all("Item")
        let items = nodes.compactMap { CatalogItem($0) }
        self.init(
            sn: sn,
            deviceID: deviceID,
            sumNum: tree.root.number("SumNum").flatMap { $0 >= 0 ? $0 : nil },
            items: items,
            unusableItems: nodes.count - items.count,
            isRepaired: tree.isRepaired
        )
    }
}

extension DeviceInfo {
    fileprivate init(_ body: XMLNode, sn: Int, deviceID: String) {
        self.init(
            sn: sn,
            deviceID: deviceID,
            isOK: body.isNotError("Result"),
            name: (body.text(of: "DeviceName") ?? "").withoutReplacements,
            manufacturer: (body.text(of: "Manufacturer") ?? "").withoutReplacements,
            model: (body.text(of: "Model") ?? "").withoutReplacements,
            firmware: (body.text(of: "Firmware") ?? "").withoutReplacements,
            // MaxCamera is the name of 2011.
            channelCount: (body.number("Channel") ?? body.number("MaxCamera")).flatMap { $0 >= 0 ? $0 : nil }
        )
    }
}

extension DeviceStatus {
    fileprivate init(_ body: XMLNode, sn: Int, deviceID: String) {
        self.init(
            sn: sn,
            deviceID: deviceID,
            isOK: body.isNotError("Result"),
            isOnline: !(body.text(of: "Online") ?? "").matchesIgnoringCase("OFFLINE"),
            isHealthy: body.isNotError("Status"),
            reason: body.text(of: "Reason") ?? "",
            isEncoding: body.isOn("Encode"),
            isRecording: body.isOn("Record"),
            deviceTime: body.text(of: "DeviceTime") ?? ""
        )
    }
}

extension RecordInfoPart {
    fileprivate init(_ body: XMLNode, sn: Int, deviceID: String) {
        self.init(
            sn: sn,
            deviceID: deviceID,
            sumNum: body.number("SumNum").flatMap { $0 >= 0 ? $0 : nil },
            records: body.all("Item").map { item in
                item.children.prefix(32).map { CatalogItem.Field($0.name, $0.text.withoutUserinfo) }
            }
        )
    }
}

extension Alarm {
    fileprivate init(_ body: XMLNode, sn: Int, deviceID: String) {
        self.init(
            sn: sn,
            deviceID: deviceID,
            priority: body.number("AlarmPriority") ?? 0,
            method: body.number("AlarmMethod") ?? 0,
            type: (body.child("Info")?.number("AlarmType") ?? body.number("AlarmType")) ?? 0,
            time: body.text(of: "AlarmTime") ?? "",
            description: body.text(of: "AlarmDescription") ?? ""
        )
    }
}
