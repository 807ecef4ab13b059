extension SIPDialog {
    /// A dialog of ours that was stored, to be ended.
    package init(
        callID: String,
        localURI: String,
        localTag: String,
        remoteURI: String,
        remoteTag: String,
        localSequence: UInt32,
        remoteTarget: String,
        routes: [String]
    ) {
        self.callID = callID
        self.localURI = localURI
        self.localTag = localTag
        self.remoteURI = remoteURI
        self.remoteTag = remoteTag
        self.localSequence = localSequence
        self.remoteSequence = nil
        self.remoteTarget = remoteTarget
        self.routes = routes
    }
}
