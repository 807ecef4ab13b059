import NIOCore
import SIP
import Testing
import Wire

@testable import GB28181

@Suite("Signalling: media sessions (4)")
struct SessionTests {
    private func settled(_ configure: (inout SignallingConfiguration) -> Void = { _ in }) -> World {
        var world = World(configure: configure)
        world.settle()
        return world
    }

    private func started(_ outcome: InviteOutcome) throws -> MediaSessionID {
        guard case .started(let id) = outcome else { throw InviteFailure(kind: .cancelled, reason: "\(outcome)") }
        return id
    }

    @Test("INVITE carries the offer, Subject and Contact; the answer's facts are reported; ACK follows")
    func invites() throws {
        var world = settled()
        let id = try started(world.invite())
        let invite = try #require(world.requests(.invite).first?.request)
        #expect(invite.uri == "sip:\(cameraID)@192.0.2.64:5060")
        #expect(invite.headers[.subject] == "\(cameraID):0200000001,\(platformID):0")
        #expect(invite.headers[.contact] == "<sip:\(platformID)@192.0.2.1:5060>")
        #expect(invite.headers.from?.uri.text == "sip:\(platformID)@3402000000")
        #expect(invite.headers.hasContentType("application/sdp"))
        let body = String(decoding: invite.body, as: UTF8.self)
        #expect(
            body.contains("m=video 30000 RTP/AVP 96") && body.contains("y=0200000001\r\n") && body.hasSuffix("\r\n")
        )
        world.run(50)
        var expected = MediaAnswer(host: "192.168.1.64", port: 6000, ssrc: SSRC(value: 200_000_001), payloadTypes: [96])
        expected.rtpMaps = [SessionDescription.RTPMap("96 PS/90000")].compactMap { $0 }
        #expect(world.events.contains(.inviteAnswered(id, expected)))
        #expect(world.cameras[0].acknowledged == 1)
        let ack = try #require(world.requests(.ack).first?.request)
        #expect(ack.uri == "sip:\(cameraID)@192.168.1.64:5060", "to the Contact's URI, over the observed flow")
        #expect(world.sent.allSatisfy { $0.flow == flow() })
        #expect(world.core.session(id)?.isStreaming == true)
        #expect(world.core.liveSession(deviceID: cameraID, channelID: cameraID)?.id == id)
    }

    @Test("R-1 the announced addresses are the configured ones")
    func announces() throws {
        var world = World {
            $0.announceHost = "203.0.113.5"
            $0.announcePort = 5070
        }
        world.settle()
        world.invite()
        let invite = try #require(world.requests(.invite).first?.request)
        #expect(invite.headers[.contact] == "<sip:\(platformID)@203.0.113.5:5070>")
        #expect(invite.headers.topVia?.sentBy == "203.0.113.5:5070")
    }

    @Test("R-11 fifty wishes are one INVITE, the last release is one BYE")
    func sharesSessions() throws {
        var world = settled()
        let id = try started(world.invite())
        for number in 0..<49 {
            if number == 20 { world.run(50) }
            let outcome = world.invite()
            #expect(outcome == .joined(id, isStreaming: number >= 20))
        }
        #expect(world.core.session(id)?.references == 50)
        for _ in 0..<49 { world.apply(world.core.release(id, now: world.now)) }
        world.run(50)
        #expect(world.requests(.bye).isEmpty)
        world.apply(world.core.release(id, now: world.now))
        world.run(50)
        #expect(world.requests(.invite).count == 1 && world.requests(.bye).count == 1)
        #expect(world.events.contains(.sessionEnded(id, .released)))
        #expect(world.cameras[0].streaming.isEmpty)
        let again = world.core.release(id, now: world.now)
        #expect(again.isEmpty)
    }

    @Test("a playback of the same channel is a session of its own")
    func separatesPurposes() throws {
        var world = settled()
        let live = try started(world.invite())
        var request = world.inviteRequest
        request.purpose = .playback(start: 1, end: 2)
        let playback = try started(world.invite(request))
        #expect(live != playback)
        world.run(50)
        #expect(world.core.allSessions.count == 2)
    }

    @Test("unknown and offline devices are refused at once, with words")
    func refusesUnreachable() {
        var world = World()
        guard case .refused(let unknown) = world.invite() else {
            Issue.record("not refused")
            return
        }
        #expect(unknown.kind == .deviceUnknown && unknown.text.contains(cameraID))
        world.settle()
        world.run(200_000)
        guard case .refused(let offline) = world.invite() else {
            Issue.record("not refused")
            return
        }
        #expect(offline.kind == .deviceOffline)
        #expect(world.requests(.invite).isEmpty)
    }

    @Test("R-53 status, phrase and Warning of a refusal survive", arguments: [400, 403, 408, 481, 487, 603])
    func keepsReasons(_ status: Int) throws {
        var world = settled()
        world.cameras[0].inviteAnswers = [status]
        _ = try started(world.invite())
        world.run(50)
        let failure = try #require(world.failure)
        #expect(failure.kind == .rejected)
        #expect(failure.status == status && failure.phrase == SIPResponse.standardPhrase(status))
        #expect(failure.text.contains("\(status) ") && failure.text.contains("192.0.2.64:5060"))
        #expect(failure.text.contains("offered UDP to 192.0.2.1:30000"))
        #expect(world.requests(.invite).count == 1)
        #expect(world.core.allSessions.isEmpty)
    }

    @Test(
        "488 is tried again with PS alone, 486 after 1 s, 500 and 503 after 2 s, each once",
        arguments: [(488, 0), (486, 1000), (500, 2000), (503, 2000)]
    )
    func triesAgain(_ status: Int, _ pause: Int64) throws {
        var world = settled()
        world.cameras[0].inviteAnswers = [status, 200]
        let id = try started(world.invite())
        world.run(3000)
        let invites = world.requests(.invite)
        #expect(invites.count == 2)
        #expect((pause...pause + 10).contains(invites[1].at - invites[0].at))
        #expect(invites[0].request.headers.callID != invites[1].request.headers.callID)
        #expect(
            String(decoding: invites[1].request.body, as: UTF8.self).contains("m=video 30000 RTP/AVP 96\r\n")
                == (status == 488)
        )
        #expect(world.core.session(id)?.isStreaming == true)
        var stubborn = settled()
        stubborn.cameras[0].inviteAnswers = [status]
        stubborn.invite()
        stubborn.run(20_000)
        #expect(stubborn.requests(.invite).count == 2)
        #expect(stubborn.failure?.status == status)
    }

    @Test("404 marks the channel offline and asks for the catalog anew")
    func resyncsAfter404() {
        var world = settled()
        world.cameras[0].inviteAnswers = [404]
        world.invite()
        world.run(50)
        #expect(world.core.device(cameraID)?.channels.first?.isOnline == false)
        world.run(60_000)
        #expect(
            world.requests(.message).contains { String(decoding: $0.request.body, as: UTF8.self).contains("Catalog") }
        )
    }

    @Test("404 to the INVITE of a sub stream says nothing of its channel")
    func keepsTheChannelWithoutItsSubStream() throws {
        var world = settled()
        world.cameras[0].inviteAnswers = [404]
        var request = world.inviteRequest
        request.streamSelection = StreamSelection.streamNumber.attribute(1)
        world.invite(request)
        world.run(50)
        #expect(world.failure?.text.contains("(streamnumber:1) of device") == true)
        #expect(world.core.device(cameraID)?.channels.first?.isOnline == true)
    }

    @Test("R-3 INVITE is repeated; without any answer it fails after 10 s, after a 1xx 30 s later")
    func timesOut() throws {
        var world = settled()
        world.cameras[0].inviteAnswers = [0]
        _ = try started(world.invite())
        let began = world.time
        world.cameras[0].flow = flow(1)  // nothing reaches it any more
        world.run(60_000)
        #expect(world.requests(.invite).map { $0.at - began } == [0, 500, 1500, 3500, 7500])
        let failed = try #require(world.actions.first { if case .inviteFailed = $0.action { true } else { false } })
        #expect(failed.at - began == 10_000)
        #expect(world.failure?.kind == .timeout)
        var ringing = settled()
        ringing.cameras[0].inviteAnswers = [180]
        ringing.invite()
        ringing.run(29_000)
        #expect(ringing.failure == nil)
        ringing.run(2000)
        #expect(ringing.failure?.kind == .timeout)
        #expect(ringing.requests(.cancel).count == 1)
    }

    @Test("R-3 a keepalive from a new port sends the INVITE there at once")
    func reinvitesOnFreshFlow() throws {
        var world = settled()
        world.cameras[0].flow = flow(6001)
        let id = try started(world.invite())
        world.run(2000)
        #expect(world.core.session(id)?.isStreaming == false)
        world.camera { $0.keepalive(now: $1) }
        world.run(50)
        #expect(world.core.session(id)?.isStreaming == true)
        #expect(
            world.sent.last { if case .request(let request) = $0.message { request.method == .invite } else { false } }?
                .flow == flow(6001)
        )
        world.run(40_000)
        #expect(world.cameras[0].streaming.count == 1)
    }

    @Test("an INVITE that was given up and is accepted after all gets ACK and BYE")
    func hangsUpLateAnswers() throws {
        var world = settled()
        world.delay = 6000...6000
        let id = try started(world.invite())
        world.run(500)
        world.apply(world.core.release(id, now: world.now))
        #expect(world.failure?.kind == .cancelled)
        world.run(60_000)
        #expect(world.cameras[0].acknowledged >= 1)
        #expect(world.cameras[0].streaming.isEmpty)
        #expect(world.core.allSessions.isEmpty && world.core.openFarewells == 0)
    }

    @Test("a release while it rings sends CANCEL")
    func cancelsRinging() throws {
        var world = settled()
        world.cameras[0].inviteAnswers = [180]
        let id = try started(world.invite())
        world.run(50)
        world.apply(world.core.release(id, now: world.now))
        world.run(50)
        #expect(world.requests(.cancel).count == 1 && world.requests(.ack).count == 1)
        #expect(world.failure?.kind == .cancelled)
    }

    @Test("R-12 BYE is repeated until somebody answers, for minutes if need be")
    func repeatsBye() throws {
        var world = settled()
        let id = try started(world.invite())
        world.run(50)
        world.cameras[0].answersBye = false
        world.apply(world.core.end(id, now: world.now))
        #expect(world.events.contains(.sessionEnded(id, .stopped)))
        world.run(40_000)
        #expect(world.core.openFarewells == 1)
        world.cameras[0].answersBye = true
        world.run(60_000)
        #expect(world.core.openFarewells == 0)
        #expect(world.cameras[0].streaming.isEmpty)
        let numbers = world.requests(.bye).compactMap { $0.request.headers.cseq?.number }
        #expect(Set(numbers) == [2, 3])
        #expect(world.events.contains { if case .forgetDialog = $0 { true } else { false } })
    }

    @Test("a camera that never answers BYE is given up after six rounds, with a warning")
    func givesUpOnBye() throws {
        var world = settled()
        let id = try started(world.invite())
        world.run(50)
        world.cameras[0].answersBye = false
        world.apply(world.core.end(id, now: world.now))
        for _ in 0..<12 {
            world.camera { $0.keepalive(now: $1) }
            world.run(60_000)
        }
        #expect(world.core.openFarewells == 0)
        #expect(world.logs.contains { $0.contains("never answered") })
    }

    @Test("BYE of the camera is answered and ends the session; a second one gets 481")
    func receivesBye() throws {
        var world = settled()
        let id = try started(world.invite())
        world.run(50)
        let dialog = try #require(world.cameras[0].dialogs.values.first)
        for _ in 0..<2 {
            world.camera { $0.bye(dialog, now: $1) }
            world.run(50)
        }
        #expect(world.cameras[0].byeAnswers == [200, 481])
        #expect(world.events.contains(.sessionEnded(id, .deviceBye)))
        #expect(world.requests(.bye).isEmpty)
        #expect(world.events.contains(.forgetDialog(callID: dialog.callID)))
    }

    @Test("R-35 MediaStatus 121 in the name of the channel ends the playback with BYE")
    func finishesPlayback() throws {
        var world = settled()
        var request = world.inviteRequest
        request.channelID = "34020000001310000007"
        request.purpose = .playback(start: 100, end: 200)
        let id = try started(world.invite(request))
        world.run(50)
        let body = ManscdpReport.mediaStatus(MediaStatus(sn: 1, deviceID: request.channelID, notifyType: 121)).encoded()
        world.camera { $0.message(body, now: $1) }
        world.run(50)
        #expect(world.events.contains(.sessionEnded(id, .finished)))
        #expect(world.requests(.bye).count == 1)
        #expect(world.cameras[0].messageAnswers.last == 200)
    }

    @Test(
        "a private stream format and a refused port are reported and hung up",
        arguments: ["m=video 6000 RTP/AVP 96\na=rtpmap:96 DAHUA/90000\n", "m=video 0 RTP/AVP 96\n", ""]
    )
    func refusesBadAnswers(_ media: String) throws {
        var world = settled()
        world.cameras[0].sdp = "v=0\ns=Play\nc=IN IP4 1.2.3.4\nt=0 0\n\(media)"
        _ = try started(world.invite())
        world.run(100)
        #expect(world.failure?.kind == .badAnswer)
        #expect(world.cameras[0].acknowledged == 1 && world.cameras[0].streaming.isEmpty)
        #expect(world.core.allSessions.isEmpty)
    }

    @Test("R-32 dialogs of a former life are ended at start, and forgotten once answered")
    func endsStoredDialogs() throws {
        var first = settled()
        first.invite()
        first.run(50)
        let stored = first.events.compactMap { if case .persistDialog(let dialog) = $0 { dialog } else { nil } }
        #expect(stored.count == 1)
        var second = World(first.cameras)
        var record = RestoredDevice(id: cameraID)
        record.flow = flow()
        record.registeredAt = 1
        second.core.restore([record])
        second.apply(second.core.endStoredDialogs(stored, now: second.now))
        second.run(50)
        #expect(second.cameras[0].streaming.isEmpty)
        #expect(second.events.contains(.forgetDialog(callID: stored[0].dialog.callID)))
        var stranger = World()
        stranger.apply(stranger.core.endStoredDialogs(stored, now: stranger.now))
        #expect(stranger.events == [.forgetDialog(callID: stored[0].dialog.callID)])
    }

    @Test("a camera that unregisters loses its sessions without BYE")
    func endsWithUnregistration() throws {
        var world = settled()
        let id = try started(world.invite())
        world.run(50)
        world.camera { $0.register(expires: 0, now: $1) }
        world.run(50)
        #expect(world.events.contains(.sessionEnded(id, .deviceOffline)))
        #expect(world.requests(.bye).isEmpty)
    }

    @Test("shutting down says BYE to all")
    func shutsDown() throws {
        var world = settled()
        world.invite()
        world.run(50)
        world.apply(world.core.shutDown(now: world.now))
        world.run(50)
        #expect(world.cameras[0].streaming.isEmpty && world.core.openFarewells == 0)
    }

    @Test("a connection that breaks under an INVITE: asked again on the next one")
    func survivesBrokenConnection() throws {
        var world = World([CameraModel(flow: flow(40_000, tcp: 3))])
        world.settle()
        world.cameras[0].inviteAnswers = [0, 200]
        let id = try started(world.invite())
        world.run(50)
        world.apply(world.core.flowClosed(flow(40_000, tcp: 3), now: world.now))
        world.run(1000)
        world.cameras[0].flow = flow(40_001, tcp: 4)
        world.camera { $0.register(restart: true, now: $1) }
        world.run(500)
        #expect(world.core.session(id)?.isStreaming == true)
    }

    @Test(
        "INVITE, SUBSCRIBE, OPTIONS and unknown methods to us are answered",
        arguments: [
            (SIPMethod.invite, 488), (.subscribe, 489), (.options, 200), (.info, 481), (.other("FOO"), 405),
            (.bye, 481),
        ]
    )
    func answersOthers(_ method: SIPMethod, _ status: Int) {
        var world = settled()
        var request = SIPRequest(method: method, uri: "sip:\(platformID)@3402000000")
        request.headers.append(.via, "SIP/2.0/UDP 1.2.3.4;branch=z9hG4bKa")
        request.headers.append(.from, "<sip:\(cameraID)@x>;tag=1")
        request.headers.append(.to, "<sip:\(platformID)@x>")
        request.headers.append(.callID, "a")
        request.headers.append(.cseq, "1 \(method.text)")
        world.apply(world.core.receive(.request(request), from: flow(), now: world.now))
        guard case .response(let response) = world.sent.last?.message else {
            Issue.record("no answer")
            return
        }
        #expect(response.status == status)
    }

    @Test("R-53 the last messages of a device are kept, without passwords; keepalives only while it is watched")
    func keepsMessages() throws {
        var world = settled()
        world.camera { $0.keepalive(now: $1) }
        world.run(10)
        var texts = world.core.trace.entries(cameraID).map(\.text)
        #expect(texts.contains { $0.hasPrefix("REGISTER") && $0.contains("credentials hidden") })
        #expect(!texts.contains { $0.contains("Keepalive") || $0.contains("response=") })
        let isWatching = world.core.trace.watch(cameraID, true)
        #expect(isWatching)
        for _ in 0..<40 {
            world.camera { $0.keepalive(now: $1) }
            world.run(10)
        }
        texts = world.core.trace.entries(cameraID).map(\.text)
        #expect(texts.count == 20 && texts.allSatisfy { $0.contains("Keepalive") })
        let secret =
            "a=PassWord:geheim\r\n<Password>geheim</Password>\r\nrtsp://u:geheim@h\r\nProxy-Authorization: geheim\r\nv=0"
        let redacted = String(decoding: Redaction.redacted(Array(secret.utf8)), as: UTF8.self)
        #expect(Redaction.isNeeded(Array(secret.utf8)) && !redacted.contains("geheim") && redacted.hasSuffix("\nv=0"))
    }
}
