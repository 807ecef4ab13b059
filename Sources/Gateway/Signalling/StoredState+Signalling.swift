internal import GB28181
internal import NIOCore
internal import SIP
internal import Transport

extension StoredDevice {
    /// What must outlive a restart, so that keepalives resume without a new registration.
    init(_ device: Device) {
        self.init(id: device.id)
        name = device.name
        manufacturer = device.manufacturer
        model = device.model
        firmware = device.firmware
        userAgent = device.userAgent
        gbVersion = device.protocolVersion
        charset = device.charset.rawValue
        transport = device.flow?.transport.rawValue ?? ""
        remoteAddress = device.flow.map { "\($0.remoteHost) \($0.remotePort) \($0.localHost) \($0.localPort)" } ?? ""
        isOnline = device.isOnline
        registeredAt = device.registeredAt ?? 0
        expiresAt = registeredAt + Int64(device.expires) * 1000
        keepaliveAt = device.keepaliveAt ?? 0
        isCatalogComplete = device.catalog != .incomplete
    }

    /// The flow that the device was last heard on, as our socket has it now: the port may be another one since, and so may
    /// our address. A TCP connection has not survived.
    fileprivate func flow(port: Int, ownHosts: Set<String>) -> SIPFlow? {
        let parts = remoteAddress.split(separator: " ").map(String.init)
        guard transport == "udp", parts.count == 4, let remotePort = Int(parts[1]) else { return nil }
        let isOurs = ownHosts.contains(parts[2])
        let localHost = isOurs ? parts[2] : SIPSocket.localAddress(towards: parts[0], port: remotePort) ?? parts[2]
        return SIPFlow(
            transport: .udp,
            localHost: localHost,
            localPort: port,
            remoteHost: parts[0],
            remotePort: remotePort
        )
    }
}

extension StoredChannel {
    init(_ item: CatalogItem, deviceID: String) {
        self.init(deviceID: deviceID, id: item.deviceID)
        name = item.name
        manufacturer = item.manufacturer
        model = item.model
        parentID = item.parentIDs.joined(separator: "/")
        civilCode = item.civilCode
        address = item.address
        isOnline = item.isOnline
        isParental = item.hasChildren
        ptzType = item.ptzType ?? 0
        streamNumberList = item.extra(CatalogItem.streamNumberList) ?? ""
        longitude = item.longitude
        latitude = item.latitude
    }

    fileprivate var item: CatalogItem {
        var item = CatalogItem(deviceID: id)
        item.name = name
        item.manufacturer = manufacturer
        item.model = model
        item.parentIDs = parentID.split(separator: "/").map(String.init)
        item.civilCode = civilCode
        item.address = address
        item.isOnline = isOnline
        item.hasChildren = isParental
        item.ptzType = ptzType == 0 ? nil : ptzType
        if !streamNumberList.isEmpty { item.extras.append(.init(CatalogItem.streamNumberList, streamNumberList)) }
        item.longitude = longitude
        item.latitude = latitude
        return item
    }
}

extension StoredDialog {
    init(_ stored: GB28181.StoredDialog) {
        let dialog = stored.dialog
        self.init(callID: dialog.callID, localTag: dialog.localTag)
        remoteTag = dialog.remoteTag
        localCSeq = Int(dialog.localSequence)
        localURI = dialog.localURI
        remoteURI = dialog.remoteURI
        remoteTarget = dialog.remoteTarget
        routes = dialog.routes
        deviceID = stored.deviceID
        channelID = stored.channelID
    }
}

extension StoredState {
    /// - Parameter port: of our SIP socket.
    func restoredDevices(port: Int) -> [RestoredDevice] {
        let interfaces = (try? System.enumerateDevices()) ?? []
        let ownHosts = Set(interfaces.compactMap { $0.address?.ipAddress })
        let channels = Dictionary(grouping: channels, by: \.deviceID)
        return devices.map { stored in
            var device = RestoredDevice(id: stored.id)
            device.name = stored.name
            device.manufacturer = stored.manufacturer
            device.model = stored.model
            device.firmware = stored.firmware
            device.userAgent = stored.userAgent
            device.protocolVersion = stored.gbVersion
            device.charset = Charset(name: stored.charset) ?? .gb2312
            device.flow = stored.flow(port: port, ownHosts: ownHosts)
            device.registeredAt = stored.registeredAt == 0 ? nil : stored.registeredAt
            device.keepaliveAt = stored.keepaliveAt == 0 ? nil : stored.keepaliveAt
            device.expires = Int(max(0, (stored.expiresAt - stored.registeredAt) / 1000))
            device.channels = (channels[stored.id] ?? []).map(\.item)
            return device
        }
    }

    var storedDialogs: [GB28181.StoredDialog] {
        dialogs.map { stored in
            GB28181.StoredDialog(
                deviceID: stored.deviceID,
                channelID: stored.channelID,
                dialog: SIPDialog(
                    callID: stored.callID,
                    localURI: stored.localURI,
                    localTag: stored.localTag,
                    remoteURI: stored.remoteURI,
                    remoteTag: stored.remoteTag,
                    localSequence: UInt32(truncatingIfNeeded: stored.localCSeq),
                    remoteTarget: stored.remoteTarget,
                    routes: stored.routes
                )
            )
        }
    }
}
