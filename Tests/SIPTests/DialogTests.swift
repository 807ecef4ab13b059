import SIP
import Testing

@Suite("Dialogs")
struct DialogTests {
    private func dialog(contact: String? = "<sip:ch@10.0.0.5:5060>") throws -> SIPDialog {
        let invite = makeRequest(.invite, callID: "d1")
        var response = SIPResponse(to: invite, from: .udp, status: 200, tag: "dev")
        response.headers[.contact] = contact
        return try #require(SIPDialog(invite: invite, response: response))
    }

    @Test("requests inside count CSeq up, keep the tags and go to the Contact's URI")
    func makesRequests() throws {
        var dialog = try dialog()
        let bye = dialog.request(.bye)
        #expect(bye.uri == "sip:ch@10.0.0.5:5060")
        #expect(bye.headers.cseq == SIPSequence(2, .bye))
        #expect(bye.headers.from?.tag == "f1")
        #expect(bye.headers.to?.tag == "dev")
        #expect(bye.headers.callID == "d1")
        #expect(dialog.request(.info).headers.cseq?.number == 3)
        #expect(dialog.acknowledgement(sequence: 1).headers.cseq == SIPSequence(1, .ack))
    }

    @Test("without a Contact the Request-URI of the INVITE serves")
    func worksWithoutContact() throws {
        var dialog = try dialog(contact: nil)
        #expect(dialog.request(.bye).uri == "sip:34020000001320000001@192.0.2.64:5060")
    }

    @Test("a peer's request belongs by its tags, else by its Call-ID")
    func matches() throws {
        let dialog = try dialog()
        var bye = makeRequest(.bye, callID: "d1")
        #expect(dialog.match(bye) == .callID)
        bye.headers[.from] = "<sip:a@b>;tag=dev"
        bye.headers[.to] = "<sip:c@d>;tag=f1"
        #expect(dialog.match(bye) == .tags)
        bye.headers[.callID] = "other"
        #expect(dialog.match(bye) == .none)
    }

    @Test("the callee's dialog mirrors it")
    func mirrors() throws {
        let invite = makeRequest(.invite, callID: "d1", sequence: 4)
        var dialog = try #require(SIPDialog(answering: invite, localTag: "us"))
        let bye = dialog.request(.bye)
        #expect(bye.headers.to?.tag == "f1")
        #expect(bye.headers.from?.tag == "us")
        #expect(bye.headers.cseq?.number == 1)
        #expect(dialog.remoteSequence == 4)
    }
}
