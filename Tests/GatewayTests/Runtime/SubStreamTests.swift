import CameraSimulator
import Testing

@testable import Gateway

/// R-46: main and sub stream of a channel are sessions of their own.
@Suite(.serialized, .timeLimit(.minutes(1))) struct SubStreamTests {
    private static func channel(_ site: SimulatedSite) async throws -> GB28181ChannelStat {
        try #require(await site.gateway.gb28181Devices().first?.channels.first)
    }

    @Test func bothStreamAtOnceAndEndAlone() async throws {
        func hasSubStream(_ camera: inout CameraConfiguration) {
            camera.protocolVersion = "3.0"
            camera.channels[0].subClip = camera.channels[0].clip
        }
        try await SimulatedSite.open(camera: hasSubStream) { site in
            #expect(try await Self.channel(site).streamNumbers == [0, 1])
            var request = site.request()
            let main = try await site.gateway.gb28181Invite(request)
            request = GB28181InviteRequest(
                deviceID: request.deviceID,
                channelID: request.channelID,
                streamNumber: 1
            )
            let sub = try await site.gateway.gb28181Invite(request)
            let again = try await site.gateway.gb28181Invite(request)
            #expect(sub == again && sub.streamName == main.streamName + "_1" && sub.sessionID != main.sessionID)
            let channel = try await Self.channel(site)
            #expect(channel.status == "streaming" && channel.streamName == main.streamName)
            #expect(channel.subStreams == [.init(streamNumber: 1, status: "streaming", streamName: sub.streamName)])
            let offers = try await site.gateway.gb28181Messages(deviceID: request.deviceID)
                .filter { $0.direction == .sent && $0.text.hasPrefix("INVITE ") }.map(\.text)
            #expect(offers.count == 2)
            #expect(offers.first?.contains("streamnumber") == false)
            #expect(offers.last?.contains("\r\na=streamnumber:1\r\n") == true)

            _ = try await site.gateway.gb28181Bye(site.bye())
            let left = try await Self.channel(site)
            #expect(left.status == "idle" && left.subStreams.count == 1)
            // Of its two invitations one by its number, one by its name alone.
            var bye = site.bye()
            bye.streamNumber = 1
            _ = try await site.gateway.gb28181Bye(bye)
            bye = site.bye()
            bye.streamName = sub.streamName
            #expect(try await site.gateway.gb28181Bye(bye).sessionID == sub.sessionID)
            try await site.becomesIdle()
            #expect(try await Self.channel(site).subStreams == [])
        }
    }

    @Test func theChannelTellsWhyItsSubStreamFailed() async throws {
        func speaks2022(_ camera: inout CameraConfiguration) { camera.protocolVersion = "3.0" }
        try await SimulatedSite.open(hasPictures: false, camera: speaks2022) { site in
            var request = site.request()
            request.streamNumber = 1
            let error = await #expect(throws: ControlError.self) { try await site.gateway.gb28181Invite(request) }
            #expect(error?.description.contains("(streamnumber:1) of device") == true, "\(error?.description ?? "")")
            let channel = try await Self.channel(site)
            #expect(channel.lastError.hasPrefix("sub stream 1: 480 "), "\(channel.lastError)")
            #expect(channel.status == "idle" && channel.subStreams == [])
            // The main stream's own fault goes first.
            await #expect(throws: ControlError.self) { try await site.gateway.gb28181Invite(site.request()) }
            let now = try await Self.channel(site).lastError
            #expect(now.hasPrefix("480 "), "\(now)")
        }
    }

    @Test func aDeviceThatIsNotKnownToHaveOneIsNotAsked() async throws {
        try await SimulatedSite.open { site in
            #expect(try await Self.channel(site).streamNumbers == [0])
            var request = site.request()
            request.streamNumber = 1
            let error = await #expect(throws: ControlError.self) { try await site.gateway.gb28181Invite(request) }
            let text = error?.description ?? ""
            #expect(text.contains("(sub stream 1)") && text.contains("stream_selection"), "\(text)")
            // It says nothing of the channel itself.
            #expect(try await Self.channel(site).lastError == "")
            let sent = try await site.gateway.gb28181Messages(deviceID: request.deviceID)
            #expect(!sent.contains { $0.text.hasPrefix("INVITE ") })
        }
    }

    @Test func theOperatorSaysHowADeviceIsAsked() async throws {
        var device = ProvisionedDevice()
        device.id = "34020000001320000001"
        device.password = Secret(SimulatedSite.password)
        device.streamSelection = "streamMode"
        try await SimulatedSite.open(devices: [device]) { site in
            #expect(try await Self.channel(site).streamNumbers == [0, 1])
            var request = site.request()
            request.streamNumber = 1
            _ = try await site.gateway.gb28181Invite(request)
            let sent = try await site.gateway.gb28181Messages(deviceID: request.deviceID)
            #expect(sent.contains { $0.text.contains("\r\na=streamMode:sub\r\n") })
            request.streamNumber = 2
            let error = await #expect(throws: ControlError.self) { try await site.gateway.gb28181Invite(request) }
            #expect(error?.description.contains("there is no such stream, expected one of 0, 1") == true)
        }
    }
}
