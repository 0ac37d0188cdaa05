-- title: A snapshot shared with another account
-- answers: Which disk snapshots were shared, with whom or with everyone, by whom?
-- severity: high
-- outcomes: succeeded
-- mitre: TA0010:T1537
-- tags: ec2, snapshots
SELECT eventTime, recipientAccountId, awsRegion, element_at(requestParameters, 'snapshotId') AS snapshot,
       coalesce(json_extract_scalar(element_at(requestParameters, 'createVolumePermission'), '$.add.items[0].userId'),
                json_extract_scalar(element_at(requestParameters, 'createVolumePermission'), '$.add.items[0].group')) AS receiver,
       userIdentity.arn AS principal, sourceIPAddress
FROM $EDS_ID
WHERE eventName = 'ModifySnapshotAttribute'
  AND errorCode IS NULL
  AND element_at(requestParameters, 'createVolumePermission') LIKE '{"add":%'
ORDER BY eventTime, eventID
