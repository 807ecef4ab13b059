import Foundation
import Gateway
import Testing

/// The API's rules over the real server of a real gateway.
@Suite(.timeLimit(.minutes(1)))
struct APITests {
    @Test func asksForTheTokenEverywhere() async throws {
        try await Site.run {
            $0.httpApi.token = Secret("s3cret")
        } _: { site in
            for path in ["/api/stat/lal_info", "/api/stat/all_group", "/api/nothing", "/nothing"] {
                let refused = try await site.api.get(path)
                #expect(refused.status == 401, "\(path)")
                #expect(refused.code == 401)
                #expect(!refused.text.contains("s3cret"))
                #expect(try await site.api.get(path, headers: "Authorization: Bearer wrong\r\n").status == 401)
            }
            #expect(try await site.api.get("/api/stat/lal_info", headers: "Authorization: Bearer s3cret\r\n").code == 0)
            #expect(try await site.api.get("/api/stat/lal_info?token=s3cret").code == 0)
            #expect(try await site.api.get("/api/nothing?token=s3cret").code == 404)
        }
    }

    @Test func answersEveryMethodAndUnknownPaths() async throws {
        try await Site.run { site in
            for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
                let answer = try await site.api.ask(method, "/api/stat/lal_info")
                #expect(answer.code == 0, "\(method): \(answer.status) \(answer.text)")
                #expect(answer.string("bin_info")?.contains("gbgate") == true)
            }
            for path in ["/nothing", "/api", "/api/stat", "/api/ctrl/gb28181_invite/", "/api/stat/../stat/lal_info"] {
                let answer = try await site.api.get(path)
                #expect(answer.code == 404, "\(path)")
                #expect(answer.status == 200 || answer.status == 404)
            }
        }
    }

    @Test func namesWhatIsMissing() async throws {
        try await Site.run { site in
            let cases = [
                ("/api/ctrl/gb28181_invite", "", "the body is empty"),
                ("/api/ctrl/gb28181_invite", "{", "no JSON"),
                ("/api/ctrl/gb28181_invite", "[]", "expected a JSON object"),
                ("/api/ctrl/gb28181_invite", #"{"device_id":1,"channel_id":"2"}"#, "device_id"),
                ("/api/ctrl/gb28181_invite", #"{"device_id":"1"}"#, "channel_id"),
                ("/api/ctrl/gb28181_invite", #"{"device_id":"1","channel_id":"2","is_tcp_flag":3}"#, "is_tcp_flag"),
                ("/api/ctrl/gb28181_bye", #"{"channel_id":"2"}"#, "device_id"),
                ("/api/ctrl/kick_session", #"{"stream_name":"x"}"#, "session_id"),
                ("/api/ctrl/start_rtp_pub", "{}", "stream_name"),
                ("/api/ctrl/dump_session", #"{"stream_name":"x"}"#, "enable"),
            ]
            for (path, body, hint) in cases {
                let answer = try await site.api.post(path, body)
                #expect(answer.code == 1002, "\(path) \(body): \(answer.text)")
                #expect(answer.string("hint")?.contains(hint) == true, "\(answer.text)")
            }
            #expect(try await site.api.get("/api/stat/group").code == 1002)
            #expect(try await site.api.get("/api/stat/group?stream_name=nope").code == 1001)
            #expect(try await site.api.get("/api/stat/all_group").text.contains(#""groups":null"#))
            #expect(try await site.api.get("/api/stat/gb28181_devices").text.contains(#""devices":[]"#))
        }
    }

    @Test func opensAndClosesARTPPort() async throws {
        try await Site.run { site in
            let started = try await site.api.post("/api/ctrl/start_rtp_pub", #"{"stream_name":"ps1"}"#)
            #expect(started.code == 0, "\(started.text)")
            let port = try #require(started.integer("port"))
            #expect(try await site.api.streams() == ["ps1"])
            let again = try await site.api.post("/api/ctrl/start_rtp_pub", #"{"stream_name":"ps1"}"#)
            #expect(again.code == 2002, "\(again.text)")
            let taken = try await site.api.post("/api/ctrl/start_rtp_pub", #"{"stream_name":"ps2","port":\#(port)}"#)
            #expect(taken.code == 2002, "\(taken.text)")
            #expect(try await site.api.streams() == ["ps1"])
            #expect(try await site.api.post("/api/ctrl/stop_rtp_pub", #"{"stream_name":"ps1"}"#).code == 0)
            try await wait(for: "the end of the stream") { try await site.api.streams().isEmpty }
            #expect(try await site.api.get("/api/ctrl/stop_rtp_pub?stream_name=ps1").code == 1001)
        }
    }
}
