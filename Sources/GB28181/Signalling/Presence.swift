package import NIOCore
internal import SIP

/// Who is there.
extension SignallingCore {
    /// The place of a device, made where it is new; nil where the table is full.
    mutating func slot(creating id: String) -> Int? {
        if let slot = slots[id] { return slot }
        guard slots.count < configuration.maximumDevices else { return nil }
        var device = Device(id: id)
        if let provisioned = configuration.provisioned[id] {
            device.name = provisioned.name
            device.charset = provisioned.charset ?? .gb2312
        }
        let slot: Int
        if let free = freeSlots.popLast() {
            slot = free
            // A timer of the former owner may still be in the queue; it finds nothing due.
            allDevices[slot] = device
        } else {
            slot = allDevices.count
            allDevices.append(device)
        }
        slots[id] = slot
        return slot
    }

    mutating func setFlow(_ flow: SIPFlow, _ slot: Int, now: NIODeadline) {
        if let old = allDevices[slot].flow, slotsByFlow[old] == slot { slotsByFlow[old] = nil }
        allDevices[slot].flow = flow
        slotsByFlow[flow] = slot
        allDevices[slot].graceEndsAt = nil
        if flow.transport == .tcp { actions.append(.flowTrusted(flow)) }
        reinvite(slot, now: now)
    }

    mutating func goOnline(_ slot: Int, _ reason: OnlineReason, now: NIODeadline) {
        allDevices[slot].isOnline = true
        allDevices[slot].graceEndsAt = nil
        onlineCount += 1
        let id = allDevices[slot].id
        actions.append(.deviceOnline(deviceID: id, reason))
        if !allDevices[slot].liveness.isScheduled {
            allDevices[slot].liveness.isScheduled = true
            schedule(.liveness, slot, at: livenessDeadline(slot))
        }
        planQueries(slot, notBefore: .seconds(30), now: now)
        retryFarewells(slot, now: now)
    }

    mutating func goOffline(_ slot: Int, _ reason: OfflineReason, now: NIODeadline) {
        guard allDevices[slot].isOnline else { return }
        allDevices[slot].isOnline = false
        allDevices[slot].statistics.wentOffline += 1
        allDevices[slot].liveness.reset()
        allDevices[slot].queries = QueryPlan(lastCatalogAt: allDevices[slot].queries.lastCatalogAt)
        onlineCount -= 1
        actions.append(.deviceOffline(deviceID: allDevices[slot].id, reason))
    }

    private func livenessDeadline(_ slot: Int) -> NIODeadline {
        allDevices[slot].liveness.deadline(timeout: configuration.keepaliveTimeout, expires: allDevices[slot].expires)
    }

    /// One timer a device: it looks at what came meanwhile and goes on or gives up.
    mutating func checkLiveness(_ slot: Int, now: NIODeadline) {
        guard allDevices.indices.contains(slot), allDevices[slot].liveness.isScheduled else { return }
        guard allDevices[slot].isOnline else {
            allDevices[slot].liveness.isScheduled = false
            return
        }
        let deadline = livenessDeadline(slot)
        if deadline > now { return schedule(.liveness, slot, at: deadline) }
        allDevices[slot].liveness.isScheduled = false
        // Media that still flows is judged by the media timeout, not here.
        goOffline(slot, .silent, now: now)
    }

    mutating func endGrace(_ slot: Int, now: NIODeadline) {
        guard allDevices.indices.contains(slot), let ends = allDevices[slot].graceEndsAt, ends <= now else { return }
        allDevices[slot].graceEndsAt = nil
        endSessions(slot, .deviceOffline, saysBye: true, now: now)
    }

    /// Makes devices of the store known again. They count as offline until they speak from their last address.
    package mutating func restore(_ restored: [RestoredDevice]) {
        for record in restored {
            guard let slot = slot(creating: record.id), allDevices[slot].registeredAt == nil else { continue }
            if allDevices[slot].name.isEmpty { allDevices[slot].name = record.name }
            allDevices[slot].manufacturer = record.manufacturer
            allDevices[slot].model = record.model
            allDevices[slot].firmware = record.firmware
            allDevices[slot].userAgent = record.userAgent
            allDevices[slot].protocolVersion = record.protocolVersion
            allDevices[slot].charset = configuration.provisioned[record.id]?.charset ?? record.charset
            allDevices[slot].flow = record.flow
            allDevices[slot].registeredAt = record.registeredAt
            allDevices[slot].keepaliveAt = record.keepaliveAt
            allDevices[slot].expires = record.expires
            allDevices[slot].channels = record.channels
        }
    }

    /// Forgets a device: its sessions end, and it has to register again.
    package mutating func remove(_ deviceID: String, now: NIODeadline) -> [SignallingAction] {
        guard let slot = slots[deviceID] else { return [] }
        endSessions(slot, .stopped, saysBye: true, now: now)
        goOffline(slot, .removed, now: now)
        if let flow = allDevices[slot].flow, slotsByFlow[flow] == slot { slotsByFlow[flow] = nil }
        assemblies[slot] = nil
        slots[deviceID] = nil
        allDevices[slot] = Device(id: "")
        allDevices[slot].isRemoved = true
        freeSlots.append(slot)
        return take()
    }
}
