internal import NIOCore
internal import SIP

/// BYE, until it is answered.
extension SignallingCore {
    /// Begins to end a dialog.
    mutating func bid(_ stored: StoredDialog, now: NIODeadline) {
        let number = nextSession
        nextSession += 1
        farewells[number] = Farewell(stored: stored, since: now)
        sayFarewell(number, now: now)
    }

    mutating func sayFarewell(_ number: UInt64, now: NIODeadline) {
        guard var farewell = farewells[number], farewell.client == nil else { return }
        guard let slot = slots[farewell.stored.deviceID], farewell.attempts < Farewell.maximumAttempts,
            now - farewell.since < Farewell.patience
        else {
            let device = farewell.stored.deviceID
            log(
                .warning,
                "bye-\(device)",
                "BYE for \(farewell.stored.channelID) of device \(device) was never answered; it may go on sending"
            )
            return endFarewell(number)
        }
        let device = allDevices[slot]
        // A connection of before is gone: wait for a new one.
        guard let flow = device.flow, device.isOnline || !flow.isReliable else {
            return schedule(.farewell, number, at: now + .hours(1))
        }
        farewell.attempts += 1
        var request = farewell.stored.dialog.request(.bye)
        request.headers.append(.userAgent, configuration.userAgent)
        farewells[number] = farewell
        let announced = announced(slot, over: flow)
        let client = send(request, to: slot, over: flow, announced: announced, role: .bye(farewell: number), now: now)
        farewells[number]?.client = client
        if client == nil { schedule(.farewell, number, at: now + .seconds(30)) }
    }

    /// Answered, whatever the answer says: 481 means that it was over already.
    mutating func endFarewell(_ number: UInt64) {
        guard let farewell = farewells.removeValue(forKey: number) else { return }
        actions.append(.forgetDialog(callID: farewell.stored.dialog.callID))
    }

    mutating func byeLost(_ number: UInt64, now: NIODeadline) {
        guard farewells[number] != nil else { return }
        statistics.unansweredByes += 1
        farewells[number]?.client = nil
        schedule(.farewell, number, at: now + .seconds(30))
    }

    /// The device is back: what it missed is said again.
    mutating func retryFarewells(_ slot: Int, now: NIODeadline) {
        guard !farewells.isEmpty else { return }
        let deviceID = allDevices[slot].id
        let waiting = farewells.filter { $0.value.stored.deviceID == deviceID && $0.value.client == nil }
        for number in waiting.keys.sorted() { sayFarewell(number, now: now) }
    }
}
